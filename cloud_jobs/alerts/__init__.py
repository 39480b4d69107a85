"""Telling the people at the desk what is wrong with the cloud layer, and that it is over."""

"""Guests, what they booked and what they asked for."""

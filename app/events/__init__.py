"""What the desk tells the cloud: buffered, in order, until it is taken."""

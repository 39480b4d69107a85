"""What a guest means, and what the property answers."""

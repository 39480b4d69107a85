"""What the cloud layer costs: metered, against a budget, and what pausing saves."""

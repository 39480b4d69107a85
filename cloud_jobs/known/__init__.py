"""What is known of the desk: from its events, and of bookings that others tell of."""

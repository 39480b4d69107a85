"""The door: webhooks in, health out."""

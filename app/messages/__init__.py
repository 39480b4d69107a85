"""Inbox and outbox: what came in, what goes out, once each."""

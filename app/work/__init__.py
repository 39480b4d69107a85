"""The worker: Dramatiq over Redis, and the relay that makes up for what Redis loses."""

"""The agents: what happened in numbers, what may happen, what to offer, in which language."""

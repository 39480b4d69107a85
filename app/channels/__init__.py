"""Ways to reach a person: Slack and mail."""

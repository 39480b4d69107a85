"""What the cloud may ask the desk for: one handler each."""

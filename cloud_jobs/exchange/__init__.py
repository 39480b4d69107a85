"""What passes between the cloud and those who call it: commands, nonces, the audit."""

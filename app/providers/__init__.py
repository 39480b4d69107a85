"""Those who carry the messages: Spoki, and the sandbox in its place."""

"""Those who carry the messages: Spoki, WhatsApp's Cloud API, and the sandbox in Spoki's place."""

"""The jobs: a module each, its trigger in view."""

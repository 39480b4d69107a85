"""The desk: from a guest's message to its answer. docs/architecture.md draws the layers."""

"""Runs of jobs: declared, started, worked on once, tried again, paused and replayed."""

"""A stand-in for Spoki and for the guests' phones, for demos, rehearsals and tests.

It takes what Spoki's API takes, refuses what Spoki refuses, reports by signed webhooks, and can be
told to misbehave. It holds everything in memory, bounded, and is never part of a deployment.
"""

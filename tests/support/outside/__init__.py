"""Smoobu, FlightAware's AeroAPI and OpenWeather, as strict as what is known of them.

One server on one port has all three, each by its own path, and a fourth part, ``/control``, by
which a test sets what they know and reads how often they were asked. Standard library alone: the
rehearsal runs it on a bare host, as ``python -m tests.support.outside --port 8090``.
"""

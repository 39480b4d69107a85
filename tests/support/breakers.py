"""Breakers for tests that are about something else."""

from datetime import timedelta
from typing import Final

from app.providers.breaker import Breaker, Tolerance

TOLERANCE: Final = Tolerance(
    window=timedelta(minutes=2),
    fewest_calls=5,
    rest=timedelta(seconds=30),
    probe_time=timedelta(seconds=15),
)


def closed() -> Breaker:
    """A breaker that lets everything through, until half of five calls failed."""
    return Breaker(TOLERANCE)

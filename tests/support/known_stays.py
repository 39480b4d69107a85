"""Stays as if the desk had told of them."""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from cloud_jobs.store.known import KnownStay
from tests.support.cloud_layer import Layer

_numbers = count(1)


def guest(number: int) -> str:
    """A guest's index."""
    return f"{number:064x}"


def add_stay(cloud: Layer, who: int | None, arrival: date, **fields: Any) -> int:
    """A confirmed stay of three nights; the desk's number of it."""
    number, now = next(_numbers), datetime.now(UTC)
    given = {
        "channel": "direct",
        "code": f"D-{number}",
        "booking_id": number,
        "guest": None if who is None else guest(who),
        "status": "confirmed",
        "arrival": arrival,
        "departure": arrival + timedelta(days=3),
        "booked_at": now,
        "told_at": now,
    }
    with cloud.store.writing() as session:
        session.add(KnownStay(**(given | fields)))
    return number

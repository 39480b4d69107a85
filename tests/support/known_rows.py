"""Rows of what is known of the desk, with what a test doesn't care about filled in."""

from datetime import UTC, date, datetime
from typing import Any, Final

from cloud_jobs.store.known import KnownGuest, KnownRequest, KnownStay, KnownTurn

LONG_AGO: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)


def index(number: int) -> str:
    """A guest's blind index, in hex."""
    return f"{number:064x}"


def guest(number: int, **differing: Any) -> KnownGuest:
    """A guest who agreed to offers."""
    values = {
        "guest": index(number),
        "language": "it",
        "time_zone": None,
        "consent": "given",
        "known_at": LONG_AGO,
        "told_at": LONG_AGO,
    }
    return KnownGuest(**values | differing)


def stay(number: int, arrival: date | None, departure: date | None, **differing: Any) -> KnownStay:
    """A confirmed booking, of the guest of the same number."""
    values = {
        "channel": "direct",
        "code": f"B-{number}",
        "booking_id": number,
        "guest": index(number),
        "status": "confirmed",
        "unit": f"Room {number}",
        "arrival": arrival,
        "departure": departure,
        "party": 2,
        "flight_number": None,
        "booked_at": LONG_AGO,
        "told_at": LONG_AGO,
    }
    return KnownStay(**values | differing)


def request(number: int, kind: str, state: str, **differing: Any) -> KnownRequest:
    """An offer, or what came of it; of the booking of the same number."""
    values = {
        "request_id": number,
        "kind": kind,
        "state": state,
        "guest": index(number),
        "booking_id": number,
        "price": None,
        "currency": None,
        "outcome": None,
        "was_offered": True,
        "made_at": LONG_AGO,
        "told_at": LONG_AGO,
    }
    return KnownRequest(**values | differing)


def turn(number: int, received: datetime | None, **differing: Any) -> KnownTurn:
    """A message of the guest of the same number, not answered yet."""
    values = {
        "inbox_id": number,
        "guest": index(number),
        "received_at": received,
        "answered_at": None,
        "intent": None,
        "language": None,
        "agent": None,
        "silent": False,
    }
    return KnownTurn(**values | differing)

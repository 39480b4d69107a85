"""A booking."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


class BookingStatus(StrEnum):
    """How far a booking is."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    ENDED = "ended"  # the guest has left


@dataclass(frozen=True)
class Booking:
    """One stay. ``(channel, code)`` is its name in the world; ``booking_id`` our row, if stored.

    ``balance`` is what is left to pay, in ``currency`` (ISO 4217). None is what isn't known: a
    booking may begin as a bare number from a mail's subject.
    """

    channel: str
    code: str
    status: BookingStatus
    phone: str | None = None
    unit: str | None = None
    arrival: date | None = None
    departure: date | None = None
    party: int | None = None
    flight_number: str | None = None
    balance: Decimal | None = None
    currency: str | None = None
    booking_id: int | None = None

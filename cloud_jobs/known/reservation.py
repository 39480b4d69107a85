"""A booking as a mail or Smoobu tells of it: the payload of ``reservation.told``."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from cloud_jobs.runtime.job import Payload

TOLD: Final = "reservation.told"


class Change(StrEnum):
    """What happened to the booking."""

    NEW = "new"
    CHANGED = "changed"
    CANCELLED = "cancelled"


class ReservationTold(Payload):
    """``(channel, code)`` is the booking's name. None is what isn't known, and erases nothing.

    ``told_by``: mail or smoobu. ``language`` is the guest's (ISO 639-1), ``phone`` has + and the
    country, ``told_at`` is aware: what is older than what is known already changes nothing.
    """

    told_by: str
    told_at: datetime
    channel: str
    code: str
    change: Change
    guest_name: str | None = None
    phone: str | None = None
    email: str | None = None
    language: str | None = None
    unit: str | None = None
    arrival: date | None = None
    departure: date | None = None
    party: int | None = None
    flight_number: str | None = None
    balance: Decimal | None = None
    currency: str | None = None

"""What the desk has been told of a booking: one story of several, the newest wins.

A booking is told by the channel's mails and by Smoobu, in whatever order. What is older than what
the desk knows changes nothing of it; it only fills what nobody has said yet, since the newest mail
of a site often has a number and a date alone.
"""

from datetime import date
from typing import Any, Final

from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.known.reservation import Change, ReservationTold
from cloud_jobs.runtime.job import Payload
from cloud_jobs.store.sources import ToldBooking

_FILLED: Final = ("guest_name", "phone", "email", "language", "unit", "party", "flight_number")


class Known(Payload):
    """``told`` is all of it together; ``was_new``: somebody told of it as new, in time for a
    welcome; ``welcomed``: that has been asked for."""

    told: ReservationTold
    was_new: bool
    welcomed: bool


def known(session: Session, seal: Seal, channel: str, code: str) -> Known | None:
    """What has been told of a booking so far."""
    row = session.get(ToldBooking, (channel, code))
    if row is None:
        return None
    facts = seal.open(row.facts, _context(channel, code))
    return Known.model_validate_json(facts)


def remember(session: Session, seal: Seal, held: Known) -> None:
    """Keep what the desk has been told now."""
    told = held.told
    facts = seal.seal(held.model_dump_json(), _context(told.channel, told.code))
    session.merge(
        ToldBooking(
            channel=told.channel,
            code=told.code,
            told_at=told.told_at,
            welcomed=held.welcomed,
            facts=facts,
        )
    )


def merged(before: ReservationTold | None, told: ReservationTold) -> ReservationTold:
    """Both together; of two of the same moment ``told`` is the newer."""
    if before is None:
        return told
    older, newer = (before, told) if before.told_at <= told.told_at else (told, before)
    gaps = {name: getattr(older, name) for name in _FILLED if getattr(newer, name) is None}
    if newer.arrival is None or older.arrival in {None, newer.arrival}:
        gaps |= _of_the_same_stay(older, newer)
    return newer.model_copy(update=gaps)


def _of_the_same_stay(older: ReservationTold, newer: ReservationTold) -> dict[str, Any]:
    """Dates and what is to be paid; of a stay that has moved, the old ones are worth nothing."""
    arrival, departure = newer.arrival or older.arrival, newer.departure or older.departure
    if not in_order(arrival, departure):
        return {}
    gaps: dict[str, Any] = {"arrival": arrival, "departure": departure}
    if newer.balance is None and departure == older.departure:
        gaps |= {"balance": older.balance, "currency": older.currency}
    return gaps


def in_order(arrival: date | None, departure: date | None) -> bool:
    """Whether the two can be of one stay, as far as they are known."""
    return arrival is None or departure is None or arrival < departure


def is_cancelled(told: ReservationTold | None) -> bool:
    """Whether there is a booking, and it was cancelled."""
    return told is not None and told.change is Change.CANCELLED


def _context(channel: str, code: str) -> str:
    return f"told_bookings.facts:{channel}:{code}"

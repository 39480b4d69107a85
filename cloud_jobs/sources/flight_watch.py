"""Which flights are asked for and when, and what of an answer guests are to be told.

A flight of a guest is asked for once before its day begins, to learn its times, and then from six
hours before it is expected until it has landed: an answer costs. One that is very late is asked for
once an hour until then.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from cloud_jobs.known.stays import arriving, flight_key
from cloud_jobs.runtime.job import Payload
from cloud_jobs.settings import CloudSettings
from cloud_jobs.sources.flightaware import Flight as Seen
from cloud_jobs.store.sources import Flight
from cloud_jobs.store.upserts import insert_into

WATCHED_FROM: Final = timedelta(hours=6)
# The clock ticks every quarter of an hour; a little less, that no tick comes too soon.
AGAIN_IN: Final = timedelta(minutes=14)
# One that comes much later than it was to, when it would have been time to watch it.
LATE_AGAIN_IN: Final = timedelta(hours=1) - timedelta(minutes=1)
# Of one of which nothing more is heard: so long after it was expected.
GIVEN_UP_AFTER: Final = timedelta(hours=4)
# A number that nobody flies on the day may be a slip of the pen, or be known tomorrow.
UNKNOWN_AGAIN_IN: Final = timedelta(hours=6)
# The smallest plan allows ten result sets a minute.
MOST_AT_ONCE: Final = 10
_DAY: Final = timedelta(days=1)
_TO_ASK: Final = (
    select(Flight)
    .where(Flight.ask_at <= bindparam("now"), Flight.day >= bindparam("since"))
    .order_by(Flight.expected_in.is_(None).desc(), Flight.expected_in, Flight.seq)
)


class Tell(StrEnum):
    """What of an answer matters to guests."""

    MOVED = "moved"
    CANCELLED = "cancelled"


class Due(Payload):
    """A flight that is to be asked for now; ``number`` without spaces."""

    seq: int
    number: str
    day: date
    fa_flight_id: str | None

    @property
    def key(self) -> str:
        """What it is called in steps and messages."""
        return f"{self.number}:{self.day}"


class Outcome(Payload):
    """How the flight stands after an answer, and what to tell. ``ask_at`` None: not any more.

    ``answered``: there was one, to be paid for; else it was a refusal.
    """

    fa_flight_id: str | None
    scheduled_in: datetime | None
    expected_in: datetime | None
    told_in: datetime | None
    changes: int
    landed: bool = False
    cancelled: bool = False
    asked_at: datetime
    ask_at: datetime | None
    tell: Tell | None = None
    answered: bool = True


def due(session: Session, settings: CloudSettings, now: datetime) -> Sequence[Due]:
    """Those of the guests' flights whose time it is, the nearest first. New ones are written down.

    In the caller's transaction.
    """
    today = now.astimezone(settings.zone).date()
    # One of yesterday may be late into today; nobody begins to watch it then.
    wanted = _wanted(session, today - _DAY, today + _DAY)
    new = [
        {"number": number, "day": day, "ask_at": _first(settings, day)}
        for number, day in sorted(wanted)
        if day >= today
    ]
    if new:
        session.execute(insert_into(session, Flight).on_conflict_do_nothing(), new)
    rows = session.scalars(_TO_ASK, {"now": now, "since": today - _DAY})
    found = [row for row in rows if (row.number, row.day) in wanted]
    return [
        Due(seq=row.seq, number=row.number, day=row.day, fa_flight_id=row.fa_flight_id)
        for row in found[:MOST_AT_ONCE]
    ]


def outcome(row: Flight, seen: Seen | None, settings: CloudSettings, now: datetime) -> Outcome:
    """What an answer comes to; ``seen`` None: no flight of this number lands on the day."""
    if seen is None:
        return Outcome(
            # It may have been given another: by its number it is found.
            fa_flight_id=None,
            scheduled_in=row.scheduled_in,
            expected_in=row.expected_in,
            told_in=row.told_in,
            changes=row.changes,
            asked_at=now,
            ask_at=now + (AGAIN_IN if row.fa_flight_id else UNKNOWN_AGAIN_IN),
        )
    is_off = seen.is_off or seen.diverted
    tell = Tell.CANCELLED if is_off else _moved(row, seen, settings)
    return Outcome(
        fa_flight_id=seen.fa_flight_id,
        scheduled_in=seen.due_in,
        expected_in=seen.expected_in,
        told_in=seen.expected_in if tell is Tell.MOVED else row.told_in,
        changes=row.changes + (tell is Tell.MOVED),
        landed=seen.has_landed,
        cancelled=is_off,
        asked_at=now,
        ask_at=None if is_off or seen.has_landed or seen.cancelled else _next(seen, now),
        tell=tell,
    )


def write(session: Session, seq: int, what: Outcome) -> None:
    """Keep how a flight stands, in the caller's transaction."""
    row = session.get_one(Flight, seq)
    for name in type(what).model_fields.keys() - {"tell", "answered"}:
        setattr(row, name, getattr(what, name))


def find(session: Session, number: str, day: date) -> Flight | None:
    """How a flight stands."""
    return session.scalar(
        select(Flight).where(Flight.number == flight_key(number), Flight.day == day)
    )


def _wanted(session: Session, first: date, last: date) -> set[tuple[str, date]]:
    """The flights, by number and day, of guests who come on these days."""
    return {
        (flight_key(stay.flight_number), stay.arrival)
        for stay in arriving(session, first, last)
        if stay.flight_number and stay.arrival
    }


def _moved(row: Flight, seen: Seen, settings: CloudSettings) -> Tell | None:
    """Whether the arrival is another than guests know of, and it is news to who still flies."""
    known, expected = row.told_in or seen.due_in, seen.expected_in
    if known is None or expected is None or seen.has_landed or seen.cancelled:
        return None
    return Tell.MOVED if abs(expected - known) >= settings.flight_threshold else None


def _first(settings: CloudSettings, day: date) -> datetime:
    """Six hours before the day: the first flight of it may land with its first minute."""
    return (datetime.combine(day, time(), tzinfo=settings.zone) - WATCHED_FROM).astimezone(UTC)


def _next(seen: Seen, now: datetime) -> datetime | None:
    scheduled, expected = seen.due_in, seen.expected_in
    if scheduled is None or expected is None:
        return now + UNKNOWN_AGAIN_IN
    if now > expected + GIVEN_UP_AFTER:
        return None
    watched_from = expected - WATCHED_FROM
    if now >= scheduled - WATCHED_FROM:
        # What is very late may make up for it.
        watched_from = min(watched_from, now + LATE_AGAIN_IN)
    return max(watched_from, now + AGAIN_IN)

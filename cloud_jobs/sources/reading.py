"""How far a source has been read, how often a service was asked today; and what is old of both."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import CursorResult, delete
from sqlalchemy.orm import Session

from cloud_jobs.store.sources import (
    Flight,
    ServiceCalls,
    SmoobuBooking,
    SourceRead,
    WeatherWarning,
)
from cloud_jobs.store.upserts import add_up

# A booking may be made long before its stay, and Smoobu change it then: forgotten, it would be told
# as one that was never seen.
KEEP_BOOKINGS: Final = timedelta(days=800)


def read_until(session: Session, source: str) -> datetime | None:
    """When the source was last read to its end; None: never."""
    row = session.get(SourceRead, source)
    return row.read_at if row else None


def mark_read(session: Session, source: str, at: datetime) -> None:
    """All of it until ``at`` has been read."""
    session.merge(SourceRead(source=source, read_at=at))


def take_call(session: Session, service: str, most: int, now: datetime) -> bool:
    """Take one of a day's calls, in the caller's transaction; False if ``most`` are taken.

    The row is locked from the first, so no two take the last one. The day is of UTC.
    """
    row = {"service": service, "day": now.astimezone(UTC).date(), "calls": 1}
    keys = ("service", "day")
    return add_up(session, ServiceCalls, row, keys=keys, column="calls", most=most) is not None


def forget_old(session: Session, keep: timedelta, now: datetime) -> dict[str, int]:
    """Delete what ``keep`` is over for, bookings after :data:`KEEP_BOOKINGS`; rows by table."""
    before = now - keep
    old = {
        Flight: Flight.day < before.date(),
        WeatherWarning: WeatherWarning.ends_at < before,
        ServiceCalls: ServiceCalls.day < before.date(),
        SmoobuBooking: SmoobuBooking.told_at < now - KEEP_BOOKINGS,
    }
    return {
        table.__tablename__: cast(
            "CursorResult[Any]", session.execute(delete(table).where(is_old))
        ).rowcount
        for table, is_old in old.items()
    }

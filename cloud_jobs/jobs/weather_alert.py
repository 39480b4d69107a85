"""A weather warning reaches the guests who are there while it lasts, in their language."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from cloud_jobs.known import stays
from cloud_jobs.runtime.job import On, Payload, Queue, RunContext, job
from cloud_jobs.settings import CloudSettings
from cloud_jobs.sources import weather_watch
from cloud_jobs.sources.weather_watch import WARNING, Warned
from cloud_jobs.sources.weather_words import said
from cloud_jobs.store.known import KnownStay

# Who leaves has left by then.
GONE_BY: Final = time(12)
# Nobody plans further ahead, and no service warns so early.
_MOST_DAYS: Final = 10
_DAY: Final = timedelta(days=1)


class Whom(Payload):
    """Guests by their index. ``now`` goes into the words: what has begun is told otherwise."""

    now: datetime
    guests: tuple[str, ...] = ()


@job("weather-alert", On(WARNING), queue=Queue.NOTICES, payload=Warned)
def weather_alert(run: RunContext, warned: Warned) -> dict[str, Any]:
    """Have each told once of a warning as it stands."""
    whom = run.decide("whom", lambda: _whom(run, warned), Whom)
    if not whom.guests:
        return {"guests": 0}
    span = warned.starts_at, warned.ends_at
    text = said(warned.kind, warned.level, span, whom.now, run.settings.zone)
    for guest in whom.guests:
        run.command(
            f"send:{guest}",
            "SEND_MESSAGE",
            {
                "guest": guest,
                "template": {
                    "name": "weather_warning",
                    "variables": {"warning": {"by_language": text}},
                },
                "dedupe_key": _key(warned),
            },
        )
    return {"guests": len(whom.guests)}


def _whom(run: RunContext, warned: Warned) -> Whom:
    """Nobody, if it is over, or has been told otherwise since: notices may have been paused."""
    now = datetime.now(UTC)
    with run.store.reading() as session:
        stands = weather_watch.find(session, warned.key)
        is_old = stands is not None and (stands.level, stands.ends_at) != (
            warned.level,
            warned.ends_at,
        )
        if is_old or warned.ends_at <= now:
            return Whom(now=now)
        there = _there(session, run.settings, max(warned.starts_at, now), warned.ends_at)
        # Who has two rooms is told once.
        guests = dict.fromkeys(stay.guest for stay in there if stay.guest is not None)
    return Whom(now=now, guests=tuple(guests))


def _there(
    session: Session, settings: CloudSettings, start: datetime, end: datetime
) -> Iterator[KnownStay]:
    """Stays of who is in the house at some time from ``start`` to ``end``."""
    begins = start.astimezone(settings.zone)
    first, last = begins.date(), end.astimezone(settings.zone).date()
    for day in _days(first, last):
        for stay in stays.in_house(session, day):
            if stay.departure == first and begins.time() >= GONE_BY:
                continue
            yield stay


def _days(first: date, last: date) -> Iterator[date]:
    for after in range(min((last - first).days + 1, _MOST_DAYS)):
        yield first + after * _DAY


def _key(warned: Warned) -> str:
    return f"weather:{warned.key[:16]}:{warned.level}:{warned.ends_at:%Y%m%dT%H%M}"

"""What can wait until the morning is paused by night; by the property's clock.

Looked at every five minutes rather than at two hours of the day, so that a missed tick or a change
of summer time costs no pause. See docs/pausing.md for what pauses when, and why.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from cloud_jobs.runtime.job import Every, Nothing, Queue, RunContext, job
from cloud_jobs.runtime.pausing import pause, paused, resume
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.runs import Pause, Run, State
from cloud_jobs.store.sources import Flight

BY: Final = "night-pause"
QUEUES: Final = (Queue.WATCH, Queue.NOTICES, Queue.REPORTS)
_DAY: Final = timedelta(days=1)


@job("night-pause", Every(timedelta(minutes=5)), queue=Queue.UPKEEP, payload=Nothing)
def night_pause(run: RunContext, _: Nothing) -> dict[str, list[str]]:
    """Pause at night what isn't under way, once a night; resume it in the morning."""
    now = datetime.now(UTC)
    with run.store.writing() as session:
        night = night_of(run.settings, now)
        if night is None:
            mine = [queue for queue, row in paused(session).items() if row.by == BY]
            resume(session, mine, BY, now)
            return {"resumed": [*mine]} if mine else {}
        begins, ends = night
        wanted = [
            queue
            for queue in QUEUES
            if not _is_busy(session, queue, now, ends) and not _was_paused(session, queue, begins)
        ]
        reason = f"night, until {ends.astimezone(run.settings.zone):%H:%M}"
        done = pause(session, wanted, BY, reason, now)
    return {"paused": [*done]} if done else {}


def night_of(settings: CloudSettings, now: datetime) -> tuple[datetime, datetime] | None:
    """The night that ``now`` is in: its beginning and end; None by day, or if there is none."""
    begins, ends = settings.night_pause_from, settings.night_pause_until
    if begins == ends:
        return None
    today = now.astimezone(settings.zone).date()
    for day in (today - _DAY, today):
        until = day if begins < ends else day + _DAY
        night = _at(day, begins, settings.zone), _at(until, ends, settings.zone)
        if night[0] <= now < night[1]:
            return night
    return None


def _at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A time on the wall, in UTC; one that the change of summer time leaves out, as much later."""
    return datetime.combine(day, clock, zone).astimezone(UTC)


def _is_busy(session: Session, queue: Queue, now: datetime, until: datetime) -> bool:
    """Whether something of the queue is under way, or a flight is to be watched by night."""
    working = exists().where(
        Run.queue == queue,
        or_(
            Run.state == State.RUNNING,
            (Run.state == State.QUEUED) & (Run.not_before <= now),
        ),
    )
    found = [working]
    if queue is Queue.WATCH:
        found.append(
            exists().where(
                Flight.ask_at < until,
                Flight.day >= (now - _DAY).date(),  # older ones nobody asks for any more
                Flight.landed.is_(False),
                Flight.cancelled.is_(False),
            )
        )
    return bool(session.scalar(select(or_(*found))))


def _was_paused(session: Session, queue: Queue, since: datetime) -> bool:
    """Whether this night's pause was lifted: by somebody, or by something that couldn't wait."""
    lifted = exists().where(Pause.queue == queue, Pause.by == BY, Pause.since >= since)
    return bool(session.scalar(select(lifted)))

"""The clock: which jobs are due by it, from the store and the time alone.

It doesn't wait and knows no thread, so a month can be played in seconds; the scheduler process
asks it again and again. When a trigger is due is APScheduler's to say; its scheduler and job stores
are left out, for when a job last ticked is a row here, and a second truth would be one too many.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.runtime.job import Cron, Every, Job, Jobs
from cloud_jobs.runtime.pausing import resting
from cloud_jobs.runtime.starting import Start, due, start_all
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.base import table
from cloud_jobs.store.runs import FINISHED, Run, StartedBy, State, Tick
from cloud_jobs.store.upserts import insert_into

_MIDNIGHT: Final = datetime(1970, 1, 1, tzinfo=UTC)
# As finely as the store keeps a moment.
_NEXT: Final = timedelta(milliseconds=1)
_OPEN: Final = tuple(state for state in State if state not in FINISHED)
# Asked each second, most often for nothing.
_TICKS: Final = table(Tick)
_TICKED: Final = select(_TICKS.c.job, _TICKS.c.last_at)
_LOCKED: Final = _TICKED.order_by(_TICKS.c.job).with_for_update()
_TICK: Final = (
    update(_TICKS)
    .where(_TICKS.c.job == bindparam("of_job"))
    .values(last_at=bindparam("at"), skipped=_TICKS.c.skipped + bindparam("skips"))
)
_BUSY: Final = (
    select(table(Run).c.job)
    .where(table(Run).c.state.in_(_OPEN), table(Run).c.started_by == StartedBy.CLOCK)
    .distinct()
)
"""The jobs of which a run that the clock started is open."""


def tick(
    session: Session, jobs: Jobs, settings: CloudSettings, seal: Seal, now: datetime
) -> list[str]:
    """Start the runs of the ticks that are due; their ids, to be dispatched.

    Of the ticks that were missed the last one is made up for. A job of which a run that the clock
    started is still open (it works, waits for its next attempt, or its queue is paused) gets no
    second one; ticks that a pause leaves out for good are counted in ``Tick.skipped``. A job that
    is new ticks from now on.
    """
    # Locked: a second scheduler waits here, then finds that nothing is due.
    on = session.connection()
    ticked = {row.job: row for row in on.execute(_LOCKED)}
    paused, busy = resting(on), set(on.scalars(_BUSY))
    starts, ticking = [], []
    for job, trigger in _by_clock(jobs):
        row = ticked.get(job.name)
        if row is None:
            _begin(session, job.name, now)
            continue
        times = list(ticks(trigger, settings.zone, row.last_at, now))
        if not times:
            continue
        starts_one = job.name not in busy
        if starts_one:
            starts.append(_start(job, times[-1]))
        skips = len(times) - starts_one if job.queue in paused else 0
        ticking.append({"of_job": job.name, "at": times[-1], "skips": skips})
    if ticking:
        on.execute(_TICK, ticking)
    return due(start_all(session, starts, seal=seal, zone=settings.zone, now=now))


def next_due(session: Session, jobs: Jobs, zone: ZoneInfo) -> datetime | None:
    """When :func:`tick` will next have something to do, maybe in the past; None for never."""
    ticked = {row.job: row.last_at for row in session.connection().execute(_TICKED)}
    times = [
        next_tick(trigger, zone, ticked[job.name]) if job.name in ticked else _MIDNIGHT
        for job, trigger in _by_clock(jobs)
    ]
    return min((time for time in times if time is not None), default=None)


def ticks(
    trigger: Cron | Every, zone: ZoneInfo, after: datetime, until: datetime
) -> Iterator[datetime]:
    """The ticks later than ``after``, up to and with ``until``, in order, in UTC."""
    time = next_tick(trigger, zone, after)
    while time is not None and time <= until:
        yield time
        time = next_tick(trigger, zone, time)


# Asked every second for the same, as long as nothing is due.
@lru_cache(maxsize=1024)
def next_tick(trigger: Cron | Every, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first tick later than ``after``, in UTC; None for a date that never comes.

    A cron ticks by ``zone``'s clock on the wall: once at a time that the change of summer time
    makes come twice (the first of the two), and for one that it leaves out as much after the
    change. What must go on through the hour that comes twice is an :class:`Every`.
    """
    if isinstance(trigger, Every):
        found: datetime = _interval(trigger).get_next_fire_time(None, after + _NEXT)
        return found
    # A CronTrigger of APScheduler 3.11 with a zone of its own ticks twice at a time that comes
    # twice, and in spring leaves out a whole day of a job before 01:00 (of one at midnight of the
    # first: all of April), since it adds local differences in UTC. So it counts in a zone without
    # summer time, and what it says is read off the wall.
    wall = after.astimezone(zone).replace(tzinfo=UTC)
    while (wall := _cron(trigger).get_next_fire_time(None, wall + _NEXT)) is not None:
        time: datetime = wall.replace(tzinfo=zone).astimezone(UTC)
        if time > after:
            return time
    return None


@cache
def _interval(trigger: Every) -> IntervalTrigger:
    return IntervalTrigger(
        seconds=trigger.interval.total_seconds(), start_date=_MIDNIGHT, timezone=UTC
    )


@cache
def _cron(trigger: Cron) -> CronTrigger:
    day_of_week = trigger.expression.split()[-1]
    # APScheduler counts days of the week from Monday, cron from Sunday.
    if any(character.isdigit() for character in day_of_week):
        raise ValueError(f"{trigger.expression}: write days of the week as mon, tue …")
    return CronTrigger.from_crontab(trigger.expression, timezone=UTC)


def _by_clock(jobs: Jobs) -> Iterator[tuple[Job[Any], Cron | Every]]:
    for job in jobs.by_name.values():
        if isinstance(job.trigger, Cron | Every):
            yield job, job.trigger


def _begin(session: Session, job: str, now: datetime) -> None:
    session.execute(
        insert_into(session, Tick).values(job=job, last_at=now, skipped=0).on_conflict_do_nothing()
    )


def _start(job: Job[Any], time: datetime) -> Start:
    # The key is for two schedulers whose clocks, or whose rows, don't agree after all.
    return Start(job, {}, StartedBy.CLOCK, key=f"tick:{time.isoformat()}", as_it_is=True)

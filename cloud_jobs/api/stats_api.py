"""``/api/stats`` and ``/api/schedules``: how much ran, and what the clock starts next."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.web.clients import Caller, Scope, caller
from app.web.problems import documented
from app.web.written import Day
from cloud_jobs.api.parts import Parts, utc_now
from cloud_jobs.api.run_models import JobDayShown, Stats
from cloud_jobs.runtime import listing
from cloud_jobs.runtime.clock import next_tick
from cloud_jobs.runtime.job import Cron, Every, Job, On, Queue
from cloud_jobs.runtime.listing import JobDay
from cloud_jobs.runtime.pausing import paused
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.runs import Tick

_MayRead = Annotated[Caller, Depends(caller(Scope.JOBS))]
# What is shown where nobody says since when.
_SHOWN: Final = timedelta(days=7)


class Schedule(BaseModel):
    """A job, what starts it, and when the clock did and will."""

    job: str
    queue: Queue
    paused: bool
    on: Sequence[str] = Field((), description="Names of events.")
    cron: str | None = Field(None, description="By the property's clock.")
    every_seconds: float | None = None
    last_tick: datetime | None = None
    next_tick: datetime | None = None
    skipped: int = Field(0, description="Ticks that a pause left out.")


class Schedules(BaseModel):
    """All jobs, by name."""

    time_zone: str
    schedules: Sequence[Schedule]


def stats_routes(parts: Parts) -> APIRouter:
    """The routes; of scope ``jobs``."""
    router = APIRouter(prefix="/api", tags=["runs"], responses=documented())

    @router.get("/stats", summary="Runs, durations and cost, by day and job")
    def stats(
        _who: _MayRead,
        since: Annotated[Day | None, Query(description="The last 7 days, by default.")] = None,
        until: Annotated[Day | None, Query(description="Today, by default.")] = None,
        job: Annotated[str | None, Query(pattern=r"^[a-z0-9-]{1,60}$")] = None,
    ) -> Stats:
        today = utc_now().astimezone(parts.settings.zone).date()
        last = until or today
        first = since or _a_week_before(last)
        with parts.store.reading() as session:
            found = listing.stats(session, since=first.isoformat(), until=last.isoformat(), job=job)
        return Stats(
            since=first.isoformat(),
            until=last.isoformat(),
            currency=parts.settings.currency,
            days=[_day(one) for one in found],
        )

    @router.get("/schedules", summary="What starts each job, and when")
    def schedules(_who: _MayRead) -> Schedules:
        with parts.store.reading() as session:
            found = _schedules(session, parts)
        return Schedules(time_zone=parts.settings.time_zone, schedules=found)

    return router


def _a_week_before(day: date) -> date:
    return day - _SHOWN if day - date.min >= _SHOWN else date.min


def _day(one: JobDay) -> JobDayShown:
    return JobDayShown(
        day=one.day,
        job=one.job,
        runs=sum(one.states.values()),
        states=one.states,
        average_seconds=_seconds(one.average),
        longest_seconds=_seconds(one.longest),
        cost=f"{one.cost:f}",
    )


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else round(duration.total_seconds(), 3)


def _schedules(session: Session, parts: Parts) -> list[Schedule]:
    ticks = {row.job: row for row in session.scalars(select(Tick))}
    resting = paused(session)
    now = utc_now()
    return [
        Schedule(
            job=job.name,
            queue=job.queue,
            paused=job.queue in resting,
            **_trigger(job),
            **_by_clock(job, ticks.get(job.name), parts.settings, now),
        )
        for _, job in sorted(parts.jobs.by_name.items())
    ]


def _trigger(job: Job[Any]) -> dict[str, Any]:
    match job.trigger:
        case On(names=names):
            return {"on": names}
        case Cron(expression=expression):
            return {"cron": expression}
        case Every(interval=interval):
            return {"every_seconds": interval.total_seconds()}
    return {}


def _by_clock(
    job: Job[Any], tick: Tick | None, settings: CloudSettings, now: datetime
) -> dict[str, Any]:
    if not isinstance(job.trigger, Cron | Every):
        return {}
    last = tick.last_at if tick else None
    return {
        "last_tick": last,
        "next_tick": next_tick(job.trigger, settings.zone, last or now),
        "skipped": tick.skipped if tick else 0,
    }

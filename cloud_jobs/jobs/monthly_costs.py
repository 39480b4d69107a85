"""What the past month cost, told on the first of the next."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from cloud_jobs.alerts.raising import tell
from cloud_jobs.costs.months import Month
from cloud_jobs.costs.report import as_json, as_lines
from cloud_jobs.costs.reporting import report_of
from cloud_jobs.costs.savings import ByClock
from cloud_jobs.runtime.clock import ticks
from cloud_jobs.runtime.job import Cron, Every, Jobs, Nothing, Queue, RunContext, job

KIND: Final = "monthly_costs"


@job("monthly-costs", Cron("0 9 1 * *"), queue=Queue.UPKEEP, payload=Nothing)
def monthly_costs(run: RunContext, _: Nothing) -> dict[str, Any]:
    """Tell what the past month cost; the whole report is the run's output."""
    now = run.decide("now", lambda: datetime.now(UTC), datetime)
    month = Month.of(now, run.settings.zone).before
    with run.store.reading() as session:
        clock = by_clock(run.jobs, run.settings.zone)
        report = report_of(session, run.settings, month, clock, now)

    def also(session: Session, _: str) -> None:
        tell(
            session,
            run.seal,
            run.settings,
            key=f"costs:{month.name}",
            kind=KIND,
            text=f"{as_lines(report)}\nportiere costs --month {month.name}",
            now=now,
        )

    run.step("told", lambda: month.name, str, also=also)
    return as_json(report)


def by_clock(jobs: Jobs, zone: ZoneInfo) -> ByClock:
    """The jobs that the clock starts, for what pausing them saved."""
    found = {
        name: declared
        for name, declared in jobs.by_name.items()
        if isinstance(declared.trigger, Cron | Every)
    }

    def ticks_of(name: str, after: datetime, until: datetime) -> Iterator[datetime]:
        trigger = found[name].trigger
        return ticks(trigger, zone, after, until) if isinstance(trigger, Cron | Every) else iter(())

    return ByClock({name: declared.queue for name, declared in found.items()}, ticks_of)

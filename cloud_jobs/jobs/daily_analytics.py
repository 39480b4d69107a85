"""Every morning: yesterday and the month so far in numbers, kept as the run's output."""

from datetime import date, datetime, timedelta

from cloud_jobs.agents.analytics import Period
from cloud_jobs.agents.figures import Analytics, Figure
from cloud_jobs.agents.goals import analyse
from cloud_jobs.runtime.job import Cron, Nothing, Queue, RunContext, job


class DailyAnalytics(Figure):
    """Yesterday, and its month up to it."""

    day: Analytics
    month: Analytics


@job("daily-analytics", Cron("30 5 * * *"), queue=Queue.REPORTS, payload=Nothing)
def daily_analytics(run: RunContext, _: Nothing) -> DailyAnalytics:
    """Count what is known by now; what comes later is in the figures of whoever asks later."""
    day = run.decide("day", lambda: _yesterday(run), date)
    zone = run.settings.zone
    with run.store.reading() as session:
        return DailyAnalytics(
            day=analyse(session, run.settings, Period(day, day, zone)),
            month=analyse(session, run.settings, Period(day.replace(day=1), day, zone)),
        )


def _yesterday(run: RunContext) -> date:
    return datetime.now(run.settings.zone).date() - timedelta(days=1)

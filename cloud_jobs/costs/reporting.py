"""Putting a month's report together."""

from datetime import datetime

from sqlalchemy.orm import Session

from cloud_jobs.costs.budgets import shares
from cloud_jobs.costs.forecast import forecast
from cloud_jobs.costs.months import Month, spent
from cloud_jobs.costs.report import Report
from cloud_jobs.costs.savings import ByClock, saved
from cloud_jobs.settings import CloudSettings


def report_of(
    session: Session, settings: CloudSettings, month: Month, by_clock: ByClock, now: datetime
) -> Report:
    """What is told of ``month``. Raises :class:`cloud_jobs.costs.prices.CostsError`."""
    found = spent(session, settings, month)
    return Report(
        spent=found,
        shares=tuple(shares(settings, found)),
        saved=saved(session, settings, month, by_clock, now),
        forecast=forecast(settings, found, now) if now < month.until(settings.zone) else None,
    )

"""Budgets: told at 80 % and at 100 %, and then what is optional rests until the next month.

An alert stands for each budget and level that the month has reached; it is over with the month, or
when the budget is raised in costs.yml. While one of 100 % stands, optional jobs are left out.
"""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from cloud_jobs.alerts.raising import raise_alert, resolve
from cloud_jobs.costs.budgets import LEVELS, USED_UP, Share, shares_now
from cloud_jobs.costs.metering import meter_fixed
from cloud_jobs.costs.months import Month
from cloud_jobs.runtime.job import Cron, Job, Nothing, Payload, Queue, RunContext, job
from cloud_jobs.store.alerts import Alert
from cloud_jobs.store.base import table

REACHED: Final = "budget.reached"
_PREFIX: Final = "budget:"
# Before each optional run. No prefix has a character that LIKE reads as another.
_OPEN: Final = select(table(Alert).c.key).where(
    table(Alert).c.key.startswith(bindparam("prefix")), table(Alert).c.resolved_at.is_(None)
)


class Level(BaseModel):
    """A budget that has reached a level, in a month (YYYY-MM)."""

    month: str
    name: str
    percent: int
    text: str

    @property
    def key(self) -> str:
        """Of its alert."""
        return f"{_PREFIX}{self.month}:{self.name}:{self.percent}"


class Standing(BaseModel):
    """What a look found: levels that were not reached before, and alerts that are over."""

    reached: list[Level]
    over: list[str]


@job("over-budget", Cron("5 * * * *"), queue=Queue.UPKEEP, payload=Nothing)
def over_budget(run: RunContext, _: Nothing) -> dict[str, int]:
    """Write down what the month costs anyway, and see how much of the budgets is used up."""
    now = run.step(
        "now",
        lambda: datetime.now(UTC),
        datetime,
        also=lambda session, at: meter_fixed(session, run.settings, at),  # once a month
    )
    found = run.step(
        "look",
        lambda: _look(run, now),
        Standing,
        also=lambda session, standing: _tell(run, session, standing, now),
    )
    for level in found.reached:
        told = {"month": level.month, "budget": level.name, "percent": level.percent}
        run.emit(level.key, REACHED, told)
    return {"reached": len(found.reached)}


def rests_when_used_up(declared: Job[Any]) -> Job[Any]:
    """An optional job that does nothing while a budget is used up; its run says so.

    It is not kept for later: an offer or a report of weeks ago is of no use, and the next comes.
    """

    def handler(run: RunContext, payload: Payload) -> Any:
        if run.decide("budget", lambda: _is_used_up(run), bool):
            run.log("left out: a budget of this month is used up")
            return {"left_out": "over budget"}
        return declared.handler(run, payload)

    return replace(declared, handler=handler)


def _look(run: RunContext, now: datetime) -> Standing:
    month = Month.of(now, run.settings.zone)
    with run.store.reading() as session:
        is_open = _open(session, _PREFIX)
        shares = shares_now(session, run.settings, now)
    reached = [
        Level(month=month.name, name=share.name, percent=level, text=_text(run, share, level))
        for share in shares
        for level in LEVELS
        if share.percent >= level
    ]
    keys = {level.key for level in reached}
    return Standing(
        reached=[level for level in reached if level.key not in is_open],
        over=sorted(is_open - keys),
    )


def _tell(run: RunContext, session: Session, standing: Standing, now: datetime) -> None:
    for key in standing.over:
        resolve(session, key=key, now=now)
    for level in standing.reached:
        raise_alert(
            session,
            run.seal,
            run.settings,
            key=level.key,
            kind="over_budget" if level.percent >= USED_UP else "budget_warning",
            text=level.text,
            now=now,
        )


def _text(run: RunContext, share: Share, level: int) -> str:
    currency = run.settings.currency
    what = (
        f"{share.percent:.0f} % of this month's budget ({share.name}) is spent: "
        f"{_cents(share.spent)} of {_cents(share.budget)} {currency}."
    )
    if level < USED_UP:
        return what
    return f"{what} Optional jobs rest until next month, or until costs.yml allows more."


def _is_used_up(run: RunContext) -> bool:
    month = Month.of(datetime.now(UTC), run.settings.zone)
    with run.store.reading() as session:
        found = _open(session, f"{_PREFIX}{month.name}:")
    return any(key.endswith(f":{USED_UP}") for key in found)


def _open(session: Session, prefix: str) -> set[str]:
    return set(session.connection().scalars(_OPEN, {"prefix": prefix}))


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)

"""How much of a month's budgets is used up."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy.orm import Session

from cloud_jobs.costs.months import Month, Spent, spent
from cloud_jobs.costs.prices import load
from cloud_jobs.settings import CloudSettings

TOTAL: Final = "total"
WARNS_AT: Final = 80
USED_UP: Final = 100
LEVELS: Final = (WARNS_AT, USED_UP)


@dataclass(frozen=True)
class Share:
    """A budget (``total``, or of a group) and what of it is spent, in ``settings.currency``."""

    name: str
    spent: Decimal
    budget: Decimal

    @property
    def percent(self) -> Decimal:
        """How much of it is used up; of a budget of 0, all as soon as anything is spent."""
        if not self.budget:
            return Decimal(USED_UP) if self.spent else Decimal(0)
        return 100 * self.spent / self.budget

    @property
    def level(self) -> int | None:
        """The highest of :data:`LEVELS` that it has reached."""
        return max((level for level in LEVELS if self.percent >= level), default=None)


def shares(settings: CloudSettings, month: Spent) -> list[Share]:
    """The budgets of the price list, the total first, with what ``month`` has spent of them."""
    costs = load(settings)
    budgets = costs.budgets
    found = {} if budgets.total is None else {TOTAL: budgets.total}
    found |= budgets.groups
    used = {**month.by_group, TOTAL: month.total}
    return [
        Share(
            name,
            used.get(name, Decimal(0)),
            costs.convert(budget, budgets.currency, settings.currency),
        )
        for name, budget in found.items()
    ]


def shares_now(session: Session, settings: CloudSettings, now: datetime) -> list[Share]:
    """The budgets of the month that ``now`` is in."""
    return shares(settings, spent(session, settings, Month.of(now, settings.zone)))

"""What a month has cost: read from the metered rows."""

import calendar
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from cloud_jobs.costs.prices import Costs, load
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.base import table
from cloud_jobs.store.money import Metered

_M: Final = table(Metered).c
# Asked for every hour, and by every page of costs.
_OF_DAYS: Final = (
    select(
        _M.item,
        _M.day,
        _M.job,
        _M.currency,
        _M.unit_price,
        func.sum(_M.quantity),
        func.sum(_M.amount),
    )
    .where(_M.day.between(bindparam("first"), bindparam("last")))
    .group_by(_M.item, _M.day, _M.job, _M.currency, _M.unit_price)
    .order_by(_M.item, _M.day)
)


@dataclass(frozen=True)
class Month:
    """A month by the property's clock; ``name`` is YYYY-MM."""

    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", self.name):
            raise ValueError(f"{self.name!r} is no month: write it like 2026-11")

    @classmethod
    def of(cls, at: datetime, zone: ZoneInfo) -> "Month":
        """The month that ``at`` is in."""
        return cls(at.astimezone(zone).strftime("%Y-%m"))

    @property
    def first(self) -> date:
        """Its first day."""
        return date.fromisoformat(f"{self.name}-01")

    @property
    def last(self) -> date:
        """Its last day."""
        return self.first.replace(day=calendar.monthrange(self.first.year, self.first.month)[1])

    @property
    def before(self) -> "Month":
        """The month before."""
        return Month((self.first - timedelta(days=1)).strftime("%Y-%m"))

    def since(self, zone: ZoneInfo) -> datetime:
        """When it begins, in UTC."""
        first = self.first
        return datetime(first.year, first.month, first.day, tzinfo=zone).astimezone(UTC)

    def until(self, zone: ZoneInfo) -> datetime:
        """When the next one begins, in UTC."""
        after = self.last + timedelta(days=1)
        return datetime(after.year, after.month, after.day, tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True)
class Line:
    """What one item came to. ``list_price``: what it would have without anything free."""

    item: str
    group: str
    quantity: int
    amount: Decimal
    list_price: Decimal
    is_fixed: bool

    def more(self, quantity: int, amount: Decimal, list_price: Decimal) -> "Line":
        """With so much besides."""
        return replace(
            self,
            quantity=self.quantity + quantity,
            amount=self.amount + amount,
            list_price=self.list_price + list_price,
        )


@dataclass(frozen=True)
class Spent:
    """What a month cost, in ``currency``; ``by_day`` has each day that cost something."""

    month: Month
    currency: str
    lines: tuple[Line, ...]
    by_job: dict[str, Decimal]
    by_day: dict[date, Decimal]

    @property
    def total(self) -> Decimal:
        """In all."""
        return sum((line.amount for line in self.lines), Decimal(0))

    @property
    def fixed(self) -> Decimal:
        """What is paid used or not."""
        return sum((line.amount for line in self.lines if line.is_fixed), Decimal(0))

    @property
    def by_group(self) -> dict[str, Decimal]:
        """By the groups of the price list."""
        found: dict[str, Decimal] = defaultdict(Decimal)
        for line in self.lines:
            found[line.group] += line.amount
        return dict(found)


def spent(session: Session, settings: CloudSettings, month: Month) -> Spent:
    """What ``month`` has cost so far. Rows of another currency are converted as the list says.

    Raises :class:`cloud_jobs.costs.prices.CostsError`.
    """
    costs = load(settings)
    lines: dict[str, Line] = {}
    by_job: dict[str, Decimal] = defaultdict(Decimal)
    by_day: dict[date, Decimal] = defaultdict(Decimal)
    days = {"first": month.first.isoformat(), "last": month.last.isoformat()}
    found = session.connection().execute(_OF_DAYS, days)
    for item, day, job, currency, price, quantity, summed in found:
        # Postgres adds up whole numbers to a numeric.
        used = int(quantity)
        amount = costs.convert(summed, currency, settings.currency)
        listed = costs.convert(price * used, currency, settings.currency)
        line = lines.get(item) or _none_of(costs, item)
        lines[item] = line.more(used, amount, listed)
        by_day[date.fromisoformat(day)] += amount
        if job is not None:
            by_job[job] += amount
    ordered = sorted(lines.values(), key=lambda line: (line.group, line.item))
    return Spent(month, settings.currency, tuple(ordered), dict(by_job), dict(by_day))


def _none_of(costs: Costs, item: str) -> Line:
    nothing = Decimal(0)
    return Line(item, costs.group(item), 0, nothing, nothing, item in costs.fixed)

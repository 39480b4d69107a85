"""What a month will have cost at its end, if it goes on as it went so far.

Fixed costs as they are; of what is paid by use the same pace to the month's end, an item at a time,
and then what is free of a month taken off: so an allowance that lasts until the 20th isn't taken
for one that lasts. It knows nothing of bookings: a full last week costs more than this says.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from cloud_jobs.costs.months import Line, Spent
from cloud_jobs.costs.prices import NANO, Allowance, Costs, Per, load
from cloud_jobs.settings import CloudSettings

# Of less nothing can be said.
SHORTEST: Final = timedelta(days=1)


def forecast(settings: CloudSettings, month: Spent, now: datetime) -> Decimal | None:
    """What ``month`` will have cost, in ``settings.currency``.

    None if less than a day of it is over: too early to say. For a month that is over, what it cost.
    """
    begins, ends = month.month.since(settings.zone), month.month.until(settings.zone)
    if now >= ends:
        return month.total
    if now - begins < SHORTEST:
        return None
    pace = Decimal((ends - begins) // timedelta(seconds=1)) / Decimal(
        (now - begins) // timedelta(seconds=1)
    )
    costs = load(settings)
    pots: dict[str | None, list[Line]] = defaultdict(list)
    for line in month.lines:
        if not line.is_fixed:
            pots[_monthly(costs, line.item)].append(line)
    expected = sum(
        (_expected(costs, settings.currency, name, lines, pace) for name, lines in pots.items()),
        month.fixed,
    )
    return max(expected, month.total).quantize(NANO)


def _expected(
    costs: Costs, currency: str, allowance: str | None, lines: Iterable[Line], pace: Decimal
) -> Decimal:
    if allowance is None:
        return sum((line.amount * pace for line in lines), Decimal(0))
    listed = sum((line.list_price * pace for line in lines), Decimal(0))
    return max(Decimal(0), listed - _free(costs, costs.allowances[allowance], currency, lines))


def _free(costs: Costs, found: Allowance, currency: str, lines: Iterable[Line]) -> Decimal:
    if found.amount is not None and found.currency is not None:
        return costs.convert(found.amount, found.currency, currency)
    # Units that are free, at what those of this month cost on average.
    units = sum(line.quantity for line in lines)
    listed = sum((line.list_price for line in lines), Decimal(0))
    return listed / units * Decimal(found.units or 0)


def _monthly(costs: Costs, item: str) -> str | None:
    """The allowance of a month that an item uses up. One of a day is in its amounts already."""
    name = costs.allowance(item)
    return name if name is not None and costs.allowances[name].per is Per.MONTH else None

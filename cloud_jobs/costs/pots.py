"""What is free of an item, and what it costs beyond that."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cloud_jobs.costs.prices import Costs, Per


@dataclass(frozen=True)
class Pot:
    """What an allowance, or an item without one, is counted in, for a day or month of UTC.

    ``counts`` is what one unit of the item counts there (1, or its price), ``worth`` what each of
    those costs beyond ``free``. ``price`` is that of one unit.
    """

    name: str
    period: str
    price: Decimal
    counts: Decimal
    worth: Decimal
    free: Decimal

    def cost(self, used: Decimal) -> Decimal:
        """What ``used`` costs in all, in the item's currency."""
        return max(Decimal(0), used - self.free) * self.worth


def pot_of(costs: Costs, item: str, at: datetime) -> tuple[Pot, str]:
    """What the use of ``item`` at ``at`` is counted in, and the currency of its price.

    Raises :class:`cloud_jobs.costs.prices.UnknownItemError`.
    """
    found, country = costs.find(item)
    price, one = found.unit_price(country), Decimal(1)
    if found.allowance is None:
        return Pot(item, Per.MONTH.period(at), price, one, price, Decimal(0)), found.currency
    allowance = costs.allowances[found.allowance]
    period = allowance.per.period(at)
    if allowance.units is not None:
        free = Decimal(allowance.units)
        return Pot(found.allowance, period, price, one, price, free), found.currency
    free = allowance.amount or Decimal(0)
    return Pot(found.allowance, period, price, price, one, free), found.currency

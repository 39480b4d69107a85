"""What was used, counted once, with what is free taken off exactly.

An allowance is used up by whoever comes first, and a row has what its own units cost beyond it.
Whatever the order and however many at once, the rows add up to what the provider's bill says:
the price of what was used beyond the free.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from cloud_jobs.costs.pots import Pot, pot_of
from cloud_jobs.costs.prices import load
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.base import table
from cloud_jobs.store.money import Metered, Used
from cloud_jobs.store.runs import Run
from cloud_jobs.store.upserts import add_new, add_up

_METERED: Final = table(Metered)
_SET_AMOUNT: Final = (
    update(_METERED).where(_METERED.c.seq == bindparam("of_seq")).values(amount=bindparam("costs"))
)
_RUNS: Final = table(Run)
_ADD_COST: Final = (
    update(_RUNS)
    .where(_RUNS.c.run_id == bindparam("of_run"))
    .values(cost=_RUNS.c.cost + bindparam("more", type_=_RUNS.c.cost.type))
)


def meter(  # noqa: PLR0913 - a use has so many parts
    session: Session,
    settings: CloudSettings,
    *,
    key: str,
    item: str,
    quantity: int,
    at: datetime,
    run_id: str | None = None,
    job: str | None = None,
) -> Decimal:
    """Count ``quantity`` units of ``item``, once for a ``key``; what they cost, 0 if it was there.

    The amount is in ``settings.currency`` and is added to the run's cost. In the caller's
    transaction. Raises :class:`cloud_jobs.costs.prices.UnknownItemError`, and ValueError for a
    quantity below 1.
    """
    if quantity < 1:
        raise ValueError(f"{item}: at least one unit is metered, not {quantity}")
    costs = load(settings)
    pot, currency = pot_of(costs, item, at)
    row = {
        "key": key,
        "item": item,
        "at": at,
        "day": at.astimezone(settings.zone).date().isoformat(),
        "quantity": quantity,
        "unit_price": costs.convert(pot.price, currency, settings.currency),
        "amount": Decimal(0),
        "currency": settings.currency,
        "run_id": run_id,
        "job": job,
    }
    added = add_new(session, Metered, [row], Metered.seq.key)
    if not added:
        return Decimal(0)
    # The difference of two rounded sums, so that the rows add up to the rounded sum of all.
    before, after = (
        costs.convert(cost, currency, settings.currency) for cost in _take(session, pot, quantity)
    )
    amount = after - before
    if not amount:
        return amount
    on = session.connection()
    on.execute(_SET_AMOUNT, {"of_seq": added.pop(), "costs": amount})
    if run_id is not None:
        on.execute(_ADD_COST, {"of_run": run_id, "more": amount})
    return amount


def meter_fixed(session: Session, settings: CloudSettings, at: datetime) -> None:
    """Write down what the month of ``at``, by the property's clock, costs anyway: once a month."""
    costs = load(settings)
    day = at.astimezone(settings.zone).date().replace(day=1).isoformat()
    rows = []
    for name, fixed in costs.fixed.items():
        price = costs.convert(fixed.price, fixed.currency, settings.currency)
        row = {
            "key": f"fixed:{name}:{day[:7]}",
            "item": name,
            "at": at,
            "day": day,
            "quantity": 1,
            "unit_price": price,
            "amount": price,
            "currency": settings.currency,
        }
        rows.append(row)
    if rows:
        add_new(session, Metered, rows, Metered.seq.key)


def _take(session: Session, pot: Pot, quantity: int) -> tuple[Decimal, Decimal]:
    """Take ``quantity`` units out of the pot; what all that was taken costs, before and after.

    The pot's row is locked until the caller commits, so no two take the same free units.
    """
    taken = pot.counts * quantity
    row = {"pot": pot.name, "period": pot.period, "used": taken}
    after = add_up(session, Used, row, keys=("pot", "period"), column="used")
    return pot.cost(after - taken), pot.cost(after)

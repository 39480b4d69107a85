"""What is used is counted once, and what is free is taken off exactly."""

import itertools
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from cloud_jobs.costs.metering import meter, meter_fixed
from cloud_jobs.costs.prices import UnknownItemError, load
from cloud_jobs.runtime.job import Nothing, On, Queue, RunContext, job
from cloud_jobs.store.money import Metered
from cloud_jobs.store.runs import State
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.conftest import MakeLayer

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
LIST = """
exchange: {EUR: 1, USD: 0.8617}
allowances:
  money: {amount: 5.00, currency: USD, per: month}
  calls: {units: 10, per: day}
items:
  set: {group: flights, price: 0.005, currency: USD, allowance: money}
  push: {group: flights, price: 0.02, currency: USD, allowance: money}
  call: {group: weather, price: 0.0012, currency: USD, allowance: calls}
  token: {group: model, price: 0.37, per: 1000000, currency: USD}
fixed:
  vps: {group: hosting, price: 4.50, currency: EUR}
  domain: {group: hosting, price: 1.00, currency: USD}
budgets: {currency: EUR}
"""
PRICES = {"set": Decimal("0.005"), "push": Decimal("0.02"), "call": Decimal("0.0012")}
KEYS = itertools.count()
YEARS = itertools.count(2000)


@pytest.fixture
def priced(layer: MakeLayer, tmp_path: Path) -> Layer:
    path = tmp_path / "costs.yml"
    path.write_text(LIST)
    return layer(costs_file=path)


def use(
    priced: Layer, item: str, quantity: int = 1, *, at: datetime = NOON, key: str | None = None
) -> Decimal:
    with priced.store.writing() as session:
        return meter(
            session,
            priced.settings,
            key=key or f"key-{next(KEYS)}",
            item=item,
            quantity=quantity,
            at=at,
        )


def total(priced: Layer, days: str = "") -> Decimal:
    query = select(func.sum(Metered.amount)).where(Metered.day.startswith(days))
    with priced.store.reading() as session:
        return session.scalars(query).one() or Decimal(0)


def test_a_key_counts_once(priced: Layer) -> None:
    assert use(priced, "set", 1001, key="a") == Decimal("0.0043085")
    assert use(priced, "set", 1001, key="a") == 0
    assert total(priced) == Decimal("0.0043085")


def test_the_use_of_a_day_is_free_up_to_its_calls_and_the_next_day_again(priced: Layer) -> None:
    assert use(priced, "call", 10) == 0
    assert use(priced, "call") == Decimal("0.00103404")
    assert use(priced, "call", 10, at=NOON + timedelta(days=1)) == 0


def test_a_day_of_what_is_free_ends_at_midnight_utc_and_a_row_is_of_the_propertys_day(
    priced: Layer,
) -> None:
    late = datetime(2026, 11, 27, 23, 30, tzinfo=UTC)  # half past midnight in Rome
    use(priced, "call", 10)
    assert use(priced, "call", at=late) > 0
    with priced.store.reading() as session:
        assert list(session.scalars(select(Metered.day).order_by(Metered.seq))) == [
            "2026-11-27",
            "2026-11-28",
        ]


def test_two_items_use_up_what_is_free_of_both_together(priced: Layer) -> None:
    assert use(priced, "push", 200) == 0  # 4 of 5 dollars
    assert use(priced, "set", 200) == 0  # the fifth
    assert use(priced, "set", 2) == Decimal("0.008617")


def test_nothing_of_an_item_that_has_no_price_is_counted(priced: Layer) -> None:
    with pytest.raises(UnknownItemError, match="other has no price"):
        use(priced, "other")
    assert priced.meters() == []


def test_less_than_one_unit_is_an_error(priced: Layer) -> None:
    with pytest.raises(ValueError, match="at least one unit"):
        use(priced, "set", 0)


def test_a_million_tokens_one_by_one_would_cost_what_the_list_says(priced: Layer) -> None:
    for quantity in (1, 2, 999_997):
        use(priced, "token", quantity)
    assert total(priced) == Decimal("0.318829")  # 0.37 dollars


MOMENTS = [
    datetime(2026, 10, 31, 22, 59, tzinfo=UTC),  # still October in UTC and in Rome
    datetime(2026, 10, 31, 23, 30, tzinfo=UTC),  # November in Rome
    datetime(2026, 11, 1, 0, 0, tzinfo=UTC),
    NOON,
    NOON + timedelta(days=1),
]
USES = st.lists(
    st.tuples(st.sampled_from(sorted(PRICES)), st.integers(1, 900), st.sampled_from(MOMENTS)),
    max_size=12,
)


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uses=USES)
def test_in_whatever_order_and_parts_the_rows_add_up_to_what_is_beyond_the_free(
    priced: Layer, uses: list[tuple[str, int, datetime]]
) -> None:
    year = next(YEARS)  # nothing of which was used before
    used: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for item, quantity, of in uses:
        at = of.replace(year=year)
        use(priced, item, quantity, at=at)
        by_day = item == "call"
        period = at.strftime("%Y-%m-%d" if by_day else "%Y-%m")
        used["calls" if by_day else "money", period] += PRICES[item] * quantity
    free = {"calls": 10 * PRICES["call"], "money": Decimal(5)}
    expected = [
        (max(Decimal(0), worth - free[pot]) * Decimal("0.8617")).quantize(Decimal("1E-9"))
        for (pot, _), worth in used.items()
    ]
    assert total(priced, f"{year}-") == sum(expected, Decimal(0))


def test_no_two_at_once_take_the_same_free_units(priced: Layer) -> None:
    with ThreadPoolExecutor(8) as pool:
        amounts = list(pool.map(lambda _: use(priced, "call"), range(40)))
    assert amounts.count(Decimal(0)) == 10
    assert total(priced) == (30 * PRICES["call"] * Decimal("0.8617")).quantize(Decimal("1E-9"))


def test_what_a_month_costs_anyway_is_written_down_once_a_month(priced: Layer) -> None:
    for at in (NOON, NOON + timedelta(days=1), NOON + timedelta(days=10)):
        with priced.store.writing() as session:
            meter_fixed(session, priced.settings, at)
    with priced.store.reading() as session:
        rows = session.execute(select(Metered.item, Metered.day, Metered.amount)).all()
    assert sorted(tuple(row) for row in rows) == [
        ("domain", "2026-11-01", Decimal("0.8617")),
        ("domain", "2026-12-01", Decimal("0.8617")),
        ("vps", "2026-11-01", Decimal("4.5")),
        ("vps", "2026-12-01", Decimal("4.5")),
    ]


def test_the_bundled_list_can_be_metered_whole(layer: MakeLayer) -> None:
    bundled = layer()
    for name, item in load(bundled.settings).items.items():
        use(bundled, f"{name}.IT" if item.by_country else name)
    assert len(bundled.meters()) == len(load(bundled.settings).items)


def test_a_run_that_uses_what_has_no_price_fails_and_says_what_to_do(layer: MakeLayer) -> None:
    @job("new", On("new.wanted"), queue=Queue.REPORTS, payload=Nothing)
    def new(run: RunContext, _: Nothing) -> None:
        run.meter("use", "something.new")

    made = layer(new)
    made.tell("new.wanted", {})
    made.run_all()
    assert [run.state for run in made.runs()] == [State.FAILED]
    assert "something.new has no price: add it to costs.yml" in made.alerts()[0][1]

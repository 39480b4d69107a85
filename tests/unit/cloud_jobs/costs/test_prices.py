"""The price list: the bundled one, and what a host is told of the mistakes in theirs."""

from decimal import Decimal
from pathlib import Path

import pytest

from cloud_jobs.costs.prices import Costs, CostsError, UnknownItemError, load
from tests.unit.cloud_jobs.conftest import MakeLayer

LIST = """
exchange: {EUR: 1, USD: 0.5}
allowances:
  free: {units: 10, per: day}
items:
  a.call: {group: calls, price: 2, currency: EUR, allowance: free}
budgets: {currency: EUR, total: 10}
"""


@pytest.fixture
def bundled(layer: MakeLayer) -> Costs:
    return load(layer().settings)


def test_the_bundled_list_has_what_the_contracts_say(bundled: Costs) -> None:
    flight, _ = bundled.find("flightaware.result_set")
    assert (flight.unit_price(None), flight.currency) == (Decimal("0.005"), "USD")
    assert bundled.allowances["aeroapi"].amount == Decimal(5)
    assert bundled.allowances["one_call"].units == 1000


def test_a_template_costs_by_what_it_is_for_and_where_it_goes(bundled: Costs) -> None:
    item, country = bundled.find("whatsapp.marketing.DE")
    assert item.unit_price(country) == Decimal("0.1365")


def test_a_country_without_a_price_of_its_own_has_that_of_the_others(bundled: Costs) -> None:
    item, country = bundled.find("whatsapp.marketing.NZ")
    assert item.unit_price(country) == Decimal("0.0604")


@pytest.mark.parametrize("name", ["nothing", "model.tokens_in.IT", "whatsapp", ""])
def test_what_has_no_price_is_an_error_that_says_what_to_do(bundled: Costs, name: str) -> None:
    with pytest.raises(UnknownItemError, match=r"add it to costs\.yml"):
        bundled.find(name)


def own(layer: MakeLayer, tmp_path: Path, text: str) -> Costs:
    path = tmp_path / "costs.yml"
    path.write_text(text)
    return load(layer(costs_file=path).settings)


def test_a_hosts_own_list_is_read_instead(layer: MakeLayer, tmp_path: Path) -> None:
    assert set(own(layer, tmp_path, LIST).items) == {"a.call"}


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("price: 2", "price: cheap", r"line 6: items\.a\.call\.price: "),
        ("price: 2", "price: -2", "greater than or equal to 0"),
        ("price: 2", "price: 0.0000000001", "nine places"),
        ("price: 2", "price: 1, per: 3", "nine places"),
        ("price: 2,", "", "either price or by_country"),
        ("price: 2", "by_country: {IT: 2}", "needs a price for other"),
        ("price: 2", "prise: 2", "Extra inputs are not permitted"),
        ("allowance: free", "allowance: gift", "there is no allowance gift"),
        ("units: 10,", "", "either units, or amount with its currency"),
        ("units: 10", "amount: 10", "an amount has a currency"),
        ("units: 10", "amount: 10, currency: USD", "its allowance is in USD"),
        ("per: day", "per: week", "'day' or 'month'"),
        ("currency: EUR, allowance", "currency: CHF, allowance", "no rate for CHF"),
        ("USD: 0.5", "USD: 0", "greater than 0"),
        ("total: 10", "groups: {tea: 1}", "a budget for tea, but no item"),
        ("exchange: {EUR: 1,", "exchange: {", "no rate for EUR"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_the_way_out(
    layer: MakeLayer, tmp_path: Path, good: str, bad: str, message: str
) -> None:
    assert good in LIST
    with pytest.raises(CostsError, match=message):
        own(layer, tmp_path, LIST.replace(good, bad))


def test_a_list_without_the_currency_that_is_added_up_in_is_refused(layer: MakeLayer) -> None:
    with pytest.raises(CostsError, match="PORTIERE_CURRENCY"):
        load(layer(currency="CHF").settings)


def test_a_list_that_is_not_there_is_an_error_of_its_own(layer: MakeLayer, tmp_path: Path) -> None:
    with pytest.raises(CostsError, match="can't be opened"):
        load(layer(costs_file=tmp_path / "none.yml").settings)

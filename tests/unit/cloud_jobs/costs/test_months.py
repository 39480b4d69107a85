"""What a month cost, what it will have cost, and the report of it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from cloud_jobs.costs.budgets import shares_now
from cloud_jobs.costs.drawing import as_svg, as_text
from cloud_jobs.costs.forecast import forecast
from cloud_jobs.costs.metering import meter_fixed
from cloud_jobs.costs.months import Month, Spent, spent
from cloud_jobs.costs.report import as_json, as_lines
from cloud_jobs.costs.reporting import report_of
from cloud_jobs.costs.savings import ByClock
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.costs.conftest import NOON, Priced, use

NOVEMBER = Month("2026-11")
BEGINS = NOVEMBER.since(ZoneInfo("Europe/Rome"))
HALF = BEGINS + timedelta(days=15)
NO_CLOCK = ByClock({}, lambda *_: ())


def month(layer: Layer) -> Spent:
    with layer.store.reading() as session:
        return spent(session, layer.settings, NOVEMBER)


def fixed(layer: Layer) -> None:
    with layer.store.writing() as session:
        meter_fixed(session, layer.settings, NOON)


@pytest.mark.parametrize("name", ["2026-13", "2026-00", "26-11", "2026-11-01", "", "2026-1"])
def test_what_is_no_month_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="write it like 2026-11"):
        Month(name)


def test_a_month_begins_and_ends_by_the_propertys_clock(priced: Priced) -> None:
    zone = priced().settings.zone
    october = Month("2026-10")
    assert october.since(zone) == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert october.until(zone) == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert Month.of(datetime(2026, 10, 31, 23, tzinfo=UTC), zone) == NOVEMBER
    assert Month("2027-01").before == Month("2026-12")


def test_it_is_added_up_by_item_job_day_and_group(priced: Priced) -> None:
    layer = priced()
    fixed(layer)
    use(layer, "call", 12, job="watch-weather")
    use(layer, "whatsapp.service.IT", 2)
    use(layer, "whatsapp.service.DE", at=NOON + timedelta(days=1))
    use(layer, "call", at=NOON + timedelta(days=30))  # December
    found = month(layer)
    assert {line.item: (line.quantity, line.amount) for line in found.lines} == {
        "call": (12, Decimal("0.2")),
        "vps": (1, Decimal("4.5")),
        "whatsapp.service.DE": (1, Decimal("0.01")),
        "whatsapp.service.IT": (2, Decimal("0.06")),
    }
    assert found.by_group == {
        "weather": Decimal("0.2"),
        "hosting": Decimal("4.5"),
        "messages": Decimal("0.07"),
    }
    assert found.by_job == {"watch-weather": Decimal("0.2")}
    assert found.by_day == {
        date(2026, 11, 1): Decimal("4.5"),
        date(2026, 11, 16): Decimal("0.26"),
        date(2026, 11, 17): Decimal("0.01"),
    }
    assert (found.total, found.fixed) == (Decimal("4.77"), Decimal("4.5"))


def test_budgets_are_of_the_month_in_all_and_of_groups(priced: Priced) -> None:
    layer = priced()
    fixed(layer)
    use(layer, "whatsapp.service.IT", 80)
    with layer.store.reading() as session:
        found = shares_now(session, layer.settings, NOON)
    assert [(share.name, share.percent, share.level) for share in found] == [
        ("total", Decimal(69), None),
        ("messages", Decimal(80), 80),
    ]


def test_amounts_of_another_currency_are_converted(priced: Priced) -> None:
    layer = priced(currency="USD")
    fixed(layer)
    assert month(layer).total == Decimal(9)
    assert month(priced()).total == 0


def test_a_forecast_goes_on_at_the_same_pace_and_pays_what_is_fixed_once(priced: Priced) -> None:
    layer = priced()
    fixed(layer)
    use(layer, "whatsapp.service.IT", 100)
    assert forecast(layer.settings, month(layer), HALF) == Decimal("10.5")  # 4.50 and twice 3.00


def test_a_forecast_knows_that_what_is_free_ends(priced: Priced) -> None:
    """Half a month used 400 of 500 free ones: the other half pays for 300."""
    layer = priced()
    assert use(layer, "set", 400) == 0
    assert forecast(layer.settings, month(layer), HALF) == Decimal("1.5")


def test_it_is_too_early_on_the_first_day_and_late_when_it_is_over(priced: Priced) -> None:
    layer = priced()
    use(layer, "whatsapp.service.IT", 100)
    found = month(layer)
    assert forecast(layer.settings, found, BEGINS + timedelta(hours=23)) is None
    assert forecast(layer.settings, found, BEGINS + timedelta(days=40)) == Decimal(3)


def test_the_report_has_the_same_numbers_in_every_shape(priced: Priced) -> None:
    layer = priced()
    fixed(layer)
    use(layer, "call", 12, job="watch-weather")
    use(layer, "whatsapp.marketing.IT", 40)
    with layer.store.reading() as session:
        report = report_of(session, layer.settings, NOVEMBER, NO_CLOCK, HALF)
    text, svg, lines, data = as_text(report), as_svg(report), as_lines(report), as_json(report)
    for shape in (text, svg, lines):
        assert "7.50" in shape  # 4.50 + 0.20 + 2.80
    assert "12, 1.00 of it free" in text
    assert svg.startswith("<svg")
    assert (data["total"], data["fixed"], data["forecast"]) == ("7.5", "4.5", "10.5")
    assert data["jobs"] == {"watch-weather": "0.2"}
    assert [one["percent"] for one in data["budgets"]] == [75, 93]
    assert sum(Decimal(one) for one in data["days"].values()) == Decimal("7.5")


def test_an_empty_month_has_a_report(priced: Priced) -> None:
    layer = priced()
    with layer.store.reading() as session:
        report = report_of(session, layer.settings, NOVEMBER, NO_CLOCK, HALF)
    assert "in all" in as_text(report)
    assert as_json(report)["total"] == "0"

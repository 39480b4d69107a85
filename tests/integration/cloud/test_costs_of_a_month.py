"""A month with real jobs and doubles that count: what it cost, and what pausing really saved.

``python -m tests.integration.cloud.test_costs_of_a_month`` writes the table into docs/costs.md.
"""

import tempfile
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Final

import pytest

from cloud_jobs.costs.months import Spent
from cloud_jobs.costs.report import as_json
from tests.support.a_month import Played, play
from tests.support.cloud_layer import NewUrl, SqliteFiles

DOCS: Final = Path(__file__).parents[3] / "docs/costs.md"
BEGINS, ENDS = "<!-- a month: begins -->\n", "<!-- a month: ends -->\n"
# What AeroAPI takes for a result set, and what of it is free; OpenWeather's calls are all free.
RESULT_SET, FREE, DOLLAR = Decimal("0.005"), Decimal(5), Decimal("0.86")


def table(without: Played, paused: Played) -> str:
    """The plan's table (its section 8.1), and ours beside it."""

    def row(what: str, base: str, optimised: str, group: str | None, note: str) -> str:
        ours = [_group(one.report.spent, group) for one in (without, paused)]
        return f"| {what} | {base} | {optimised} | {ours[0]} | {ours[1]} | {note} |"

    one, other = without.report, paused.report
    asked = f"{without.flights_asked} and {paused.flights_asked} result sets"
    weather = f"{without.weather_asked} and {paused.weather_asked} calls, all free"
    assert other.saved is not None
    hours = {queue: time.total_seconds() / 3600 for queue, time in other.saved.hours.items()}
    return "\n".join(
        [
            "| | plan: base | plan: optimised | played: no pauses | played: pauses | |",
            "|---|---:|---:|---:|---:|---|",
            row("Mac", "$0", "$0", None, "but its power"),
            row("VPS, domain", "$5.00", "$5.00", "hosting", "paid whether paused or not"),
            row("Trigger.dev", "$5.00", "$3.75", None, "there is none: our runtime is on the VPS"),
            row("Redis Cloud", "$5.00", "$0", None, "there is none: Redis is on the VPS"),
            row("Cloudflare Tunnel", "$0", "$0", None, "free"),
            row("FlightAware", "-", "-", "flights", f"{asked}; $5 a month are free"),
            row("OpenWeather", "-", "-", "weather", weather),
            row("WhatsApp templates", "-", "-", "messages", "the plan forgot them"),
            f"| **in all** | **$15.00** | **$8.75** | **{_cents(one.spent.total)} €** |"
            f" **{_cents(other.spent.total)} €** | |",
            "",
            f"Pausing left out {sum(other.saved.left_out.values()):,} runs by the clock"
            f" ({', '.join(f'{queue} {hours[queue]:.0f} h' for queue in sorted(hours))})"
            f" and saved **{_cents(one.spent.total - other.spent.total)} €** of"
            f" {_cents(one.spent.total)} €; the report said *at most"
            f" {_cents(other.saved.amount)} €*.",
            "",
        ]
    )


def _group(spent: Spent, group: str | None) -> str:
    return f"{_cents(spent.by_group.get(group or '', Decimal(0)))} €"


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


@pytest.fixture(scope="module")
def without(new_url: NewUrl) -> Played:
    return play(new_url, pausing=False)


@pytest.fixture(scope="module")
def paused(new_url: NewUrl) -> Played:
    return play(new_url, pausing=True)


@pytest.mark.parametrize("which", ["without", "paused"])
def test_costs_reconcile_with_what_the_doubles_counted(
    which: str, request: pytest.FixtureRequest
) -> None:
    played: Played = request.getfixturevalue(which)
    spent = played.report.spent
    used = {line.item: line.quantity for line in spent.lines}
    assert used["flightaware.result_set"] == played.flights_asked
    assert used["openweather.call"] == played.weather_asked
    assert sum(used[item] for item in used if item.startswith("whatsapp.")) == 44 * 3 + 14
    beyond = max(Decimal(0), RESULT_SET * played.flights_asked - FREE)
    assert spent.by_group["flights"] == beyond * DOLLAR
    assert spent.by_group["weather"] == 0
    assert spent.total == sum(spent.by_day.values())


@pytest.mark.parametrize("which", ["without", "paused"])
def test_the_monthly_report_is_the_months(which: str, request: pytest.FixtureRequest) -> None:
    played: Played = request.getfixturevalue(which)
    report = as_json(played.report)
    told = {key: played.monthly[key] for key in ("month", "total", "items", "days", "budgets")}
    assert told == {key: report[key] for key in told}


def test_pausing_saved_no_more_than_the_report_says(without: Played, paused: Played) -> None:
    saved = paused.report.saved
    assert saved is not None
    really = without.report.spent.total - paused.report.spent.total
    assert 0 <= really <= saved.amount + Decimal("0.01")
    assert set(saved.hours) == {"watch", "notices", "reports"}
    assert saved.left_out["watch-weather"] == without.weather_asked - paused.weather_asked


def test_no_flight_was_asked_for_less_often_for_a_pause(without: Played, paused: Played) -> None:
    assert paused.flights_asked == without.flights_asked


def test_the_table_of_the_documentation_is_of_this_month(without: Played, paused: Played) -> None:
    assert table(without, paused) in DOCS.read_text()


def _write() -> None:
    with tempfile.TemporaryDirectory() as directory:
        new_url = SqliteFiles(Path(directory)).fresh
        made = table(play(new_url, pausing=False), play(new_url, pausing=True))
    before, _, rest = DOCS.read_text().partition(BEGINS)
    DOCS.write_text(f"{before}{BEGINS}\n{made}\n{ENDS}{rest.partition(ENDS)[2]}")


if __name__ == "__main__":
    _write()

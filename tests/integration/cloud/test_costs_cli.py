"""``portiere costs`` over a migrated store: text, JSON, a picture, a forecast, mistakes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from typer.testing import CliRunner

from cloud_jobs import settings as configuration
from cloud_jobs.cli import cli
from cloud_jobs.costs.metering import meter, meter_fixed
from cloud_jobs.store.database import Store
from cloud_jobs.store.schema import migrate
from tests.support.cloud_layer import SEAL_KEYS

HALF = datetime(2026, 11, 15, 23, tzinfo=UTC)  # midnight in Rome, after half of November


@pytest.fixture(autouse=True)
def spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a month has cost 5.50 anyway, and 100 templates to Italy."""
    monkeypatch.setenv("PORTIERE_SEAL_KEYS", SEAL_KEYS)
    monkeypatch.setenv("PORTIERE_STORE_URL", f"sqlite:///{tmp_path}/cloud.db")
    found = configuration.load()
    store = Store(found.store_url.get_secret_value())
    migrate(store)
    with store.writing() as session:
        at = HALF - timedelta(days=5)
        meter_fixed(session, found, at)
        meter(session, found, key="a", item="whatsapp.service.IT", quantity=100, at=at)
    store.close()


def ask(*arguments: str, code: int = 0) -> str:
    with time_machine.travel(HALF, tick=False):
        found = CliRunner().invoke(cli, ["costs", *arguments])
    assert found.exit_code == code, found.output
    return found.output


def test_a_month_in_text() -> None:
    text = ask()
    assert "whatsapp.service.IT" in text
    assert "8.08" in text  # 5.50, and 3 dollars
    assert "At this pace the month will cost 10.66 EUR." in text


def test_as_json_and_of_another_month() -> None:
    assert json.loads(ask("--json"))["total"] == "8.08"
    assert json.loads(ask("--json", "--month", "2026-10"))["total"] == "0"


def test_as_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "november.svg"
    ask("--svg", str(path))
    assert path.read_text().startswith("<svg")
    assert "8.08" in path.read_text()


def test_the_forecast_in_a_line() -> None:
    assert ask("--forecast").startswith("2026-11 will cost about 10.66 EUR at this pace")


def test_what_is_no_month_is_refused() -> None:
    assert "write it like 2026-11" in ask("--month", "november", code=2)


def test_a_mistake_in_the_price_list_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "costs.yml"
    path.write_text("exchange: {EUR: 1}\nitems: {}\nbudgets: {total: much, currency: EUR}\n")
    monkeypatch.setenv("PORTIERE_COSTS_FILE", str(path))
    assert "line 3: budgets.total" in ask(code=1)
    checked = CliRunner().invoke(cli, ["check"])
    assert checked.exit_code == 1
    assert "prices: " in checked.output

"""What a person at the terminal sees of some days."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from typer.testing import CliRunner, Result

from cloud_jobs.cli import cli
from cloud_jobs.store.schema import needed
from tests.support import known_rows as rows
from tests.support.cloud_layer import SEAL_KEYS
from tests.support.offering_desk import keep
from tests.unit.cloud_jobs.conftest import MakeLayer

FIRST = date(2026, 11, 1)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
Ask = Callable[..., Result]


@pytest.fixture
def ask(layer: MakeLayer, monkeypatch: pytest.MonkeyPatch) -> Ask:
    cloud = layer()
    with cloud.store.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{needed()}')")
    monkeypatch.setenv("PORTIERE_SEAL_KEYS", SEAL_KEYS)
    monkeypatch.setenv("PORTIERE_STORE_URL", cloud.settings.store_url.get_secret_value())
    monkeypatch.setenv("PORTIERE_UNITS", "2")
    keep(cloud, rows.guest(1), rows.stay(1, FIRST, FIRST + timedelta(days=3)))
    keep(cloud, rows.turn(1, NOON, answered_at=NOON + timedelta(seconds=2), intent="wifi"))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["analytics", *arguments])

    return run


def test_some_days_are_shown_in_lines(ask: Ask) -> None:
    lines = ask("--from", "2026-11-01", "--to", "2026-11-10").stdout.splitlines()
    assert lines[0] == "2026-11-01 to 2026-11-10"
    assert "Nights: 3 of 1 stays; occupancy: 15.0 %" in lines
    assert "  half of the answers within 2.0 s, 95 of 100 within 2.0 s" in lines
    assert "Guests who wrote: 1 of 1 (100.0 %)" in lines
    assert lines[-1].endswith("not enough data")


def test_the_same_as_json(ask: Ask) -> None:
    found = json.loads(ask("--from", "2026-11-01", "--to", "2026-11-10", "--json").stdout)
    assert found["figures"]["stays"]["nights"] == 3
    assert found["goals"][1]["verdict"] == "not enough data"


@pytest.mark.parametrize(
    "arguments", [("--from", "yesterday"), ("--from", "2026-11-10", "--to", "2026-11-01")]
)
def test_days_that_are_none_are_refused(ask: Ask, arguments: tuple[str, ...]) -> None:
    assert ask(*arguments).exit_code == 2


def test_without_days_it_is_the_last_thirty(ask: Ask) -> None:
    first, last = ask().stdout.splitlines()[0].split(" to ")
    assert date.fromisoformat(last) - date.fromisoformat(first) == timedelta(days=29)

"""A desk over a real database file, without threads, and a clock that the test moves."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.messages import alerts, conversations
from app.settings import Settings
from app.store.database import Row, to_ms
from app.work.desk import Desk, make_desk
from tests.support.processes import PROPERTY

DeskMaker = Callable[..., Desk]
GUEST, OTHER = "+390000000001", "+390000000002"
KEY = base64.b64encode(b"k" * 32).decode()


def settings(directory: Path, **given: object) -> Settings:
    """Settings with ``given`` ones set, by their names in the class."""
    return Settings.model_validate(
        {
            "database": directory / "p.db",
            "property_file": PROPERTY,
            "spoki_api_key": "invented-key",
            "spoki_webhook_secret": "invented-secret",
            "seal_keys": f"k1:{KEY}",
            "index_key": KEY,
            **given,
        }
    )


@dataclass
class Clock:
    """An aware time that only the test moves; also what the tables' modules take for now."""

    now: datetime = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def later(self, duration: timedelta) -> None:
        """Let time pass."""
        self.now += duration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    for module in (alerts, conversations):
        monkeypatch.setattr(module, "now_ms", lambda: to_ms(found.now))
    return found


@pytest.fixture
def make(tmp_path: Path) -> Iterator[DeskMaker]:
    """Makes the desk of given settings; all over one file."""
    made: list[Desk] = []

    def make_one(**given: object) -> Desk:
        made.append(make_desk(settings(tmp_path, **given)))
        return made[-1]

    yield make_one
    for desk in made:
        desk.database.close()


@pytest.fixture
def desk(make: DeskMaker) -> Desk:
    """The desk of an invented hotel, alerted on one phone."""
    return make(alert_whatsapp=[OTHER])


def outbox(desk: Desk) -> list[Row]:
    """All of the outbox, in order."""
    return desk.database.all("SELECT * FROM outbox ORDER BY id")


def message(desk: Desk, row: Row) -> str:
    """What a row of the outbox says, as JSON."""
    return desk.seal.open(row["sealed_message"], f"outbox.message:{row['idempotency_key']}")


def said_to_desk(desk: Desk) -> list[str]:
    """The texts of all alerts, in order."""
    rows = desk.database.all("SELECT key, sealed_text FROM alerts ORDER BY id")
    return [desk.seal.open(row["sealed_text"], f"alerts.text:{row['key']}") for row in rows]

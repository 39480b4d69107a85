"""A real database file, with inbox and outbox over it, and a clock that the test moves."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import time, timedelta
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from app.leading import Alone, Leadership
from app.messages import catalogue, echoes, pausing, settling, standing, unfinished
from app.messages import inbox as inbox_module
from app.messages import outbox as outbox_module
from app.messages.deciding import Rules
from app.messages.events import Event, InboundMessage, StatusReport
from app.messages.inbox import Inbox, Outcome
from app.messages.outbox import Draft, Outbox
from app.messages.outgoing import Kind, Text
from app.messages.rules import QuietHours, RuleBook
from app.messages.settling import settle
from app.messages.standing import Limits, Surroundings
from app.messages.unfinished import Patience, Unfinished
from app.providers import spoki_events
from app.sealing import Seal
from app.store.database import Database, open_database
from tests.support import breakers
from tests.support.events import GUEST, encode, inbound, outbound

GRACE = timedelta(seconds=3)
CLAIM_TIME = timedelta(seconds=15)
ECHO_WAIT = timedelta(seconds=20)


# Where the time is asked for.
CLOCKS = (inbox_module, outbox_module, pausing, unfinished, standing, settling, echoes)
ROME = ZoneInfo("Europe/Rome")
RULES = Rules(
    # No hour is quiet: what time it is has no place in a test of the ledger.
    RuleBook(QuietHours(time(0), time(0)), daily_cap=1000),
    Surroundings(Limits(texts=120, templates=60), ROME),
    catalogue.load(None, "Pensione Aurora", "spoki"),
)


def draft(key: str, phone: str = GUEST, text: str = "Buongiorno") -> Draft:
    """A message of a person's: no rule but the provider's holds it."""
    return Draft(key, phone, Kind.DESK, Text(text), "it")


@dataclass
class Ledger:
    """Inbox and outbox over one file; ``clock`` is in milliseconds."""

    database: Database
    inbox: Inbox
    outbox: Outbox
    clock: int = 1_000_000
    resend: bool = True
    keys: list[str] = field(default_factory=list)
    heard: dict[int, StatusReport] = field(default_factory=dict)

    def receive(self, text: str = "Ciao", phone: str = GUEST) -> int:
        """Accept a guest's message; its row."""
        body = encode(inbound(text, phone))
        event = spoki_events.parse(body)
        row_id = self.accept(event, body)
        assert row_id is not None
        return row_id

    def accept(self, event: Event, body: bytes) -> int | None:
        """Accept any event; its row, or None for one that was here."""
        statement = self.inbox.accept(event, body)
        with self.database.transaction() as connection:
            return statement(connection).row_id

    def write(self, text: str = "Buongiorno", phone: str = GUEST) -> int:
        """Put a message into the outbox; its row."""
        self._has_written(phone)
        key = f"reply-{len(self.keys)}"
        self.keys.append(key)
        with self.database.transaction() as connection:
            row_id = self.outbox.add(connection, draft(key, phone, text))
        assert row_id is not None
        return row_id

    def _has_written(self, phone: str) -> None:
        """A guest who wrote just now: their 24 hours have just begun."""
        statement = self.inbox.accept(_event(phone), b"{}")
        with self.database.transaction() as connection:
            row_id = statement(connection).row_id
            assert row_id is not None
            self.inbox.close(connection, row_id, Outcome())

    def report(self, status: str, key: str | None, uuid: str) -> bytes | None:
        """Apply a report of the provider."""
        content = spoki_events.parse(encode(outbound(status, key, uuid))).content
        assert not isinstance(content, InboundMessage)
        with self.database.transaction() as connection:
            return settle(connection, content)  # type: ignore[arg-type]  # a report

    def hear(self, status: str, key: str, uuid: str) -> None:
        """Accept a report of the provider, as the gateway does; nobody has applied it yet."""
        body = encode(outbound(status, key, uuid))
        event = spoki_events.parse(body)
        row_id = self.accept(event, body)
        assert isinstance(event.content, StatusReport)
        if row_id is not None:
            self.heard[row_id] = event.content

    def apply_heard(self) -> None:
        """Apply what was heard, as the thread of the reports does."""
        with self.database.transaction() as connection:
            for row_id, report in self.heard.items():
                settle(connection, report)
                self.inbox.close(connection, row_id, Outcome())
        self.heard.clear()

    def sweep(self) -> Unfinished:
        """One sweep of the relay."""
        return unfinished.sweep(self.database, Patience(GRACE, ECHO_WAIT, self.resend))

    def state(self, row_id: int) -> str:
        """The state of an outbox row."""
        row = self.database.one("SELECT state FROM outbox WHERE id = ?", (row_id,))
        assert row is not None
        return str(row["state"])

    def later(self, duration: timedelta) -> None:
        """Let time pass."""
        self.clock += int(duration.total_seconds() * 1000)


def _event(phone: str) -> Event:
    content = InboundMessage("uuid", phone, "Ciao")
    return Event("spoki", uuid4().hex, "message.inbound", content)


def make_ledger(database: Database, seal: Seal, leadership: Leadership | None = None) -> Ledger:
    """A ledger over ``database``, in which every guest has just written."""
    outbox = Outbox(
        database,
        seal,
        RULES,
        breakers.closed(),
        leadership=leadership or Alone(),
        grace=GRACE,
        claim_time=CLAIM_TIME,
        on_instead=lambda _connection, _row: None,
    )
    return Ledger(database, Inbox(database, seal, GRACE), outbox)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    database = open_database(tmp_path / "p.db")
    seal = Seal({"k1": b"s" * 32}, b"i" * 32)
    found = make_ledger(database, seal)
    for module in CLOCKS:
        monkeypatch.setattr(module, "now_ms", lambda: found.clock)
    yield found
    database.close()

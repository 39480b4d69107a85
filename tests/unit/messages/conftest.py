"""A real database file, with inbox and outbox over it, and a clock that the test moves."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from app.messages import inbox as inbox_module
from app.messages import outbox as outbox_module
from app.messages import unfinished
from app.messages.events import Event, InboundMessage
from app.messages.inbox import Inbox
from app.messages.outbox import Outbox
from app.messages.unfinished import Patience, Unfinished
from app.providers import spoki_events
from app.store.database import Database, open_database
from app.store.seal import Seal
from tests.support.events import GUEST, encode, inbound, outbound

GRACE = timedelta(seconds=3)
CLAIM_TIME = timedelta(seconds=15)
ECHO_WAIT = timedelta(seconds=20)


@dataclass
class Ledger:
    """Inbox and outbox over one file; ``clock`` is in milliseconds."""

    database: Database
    inbox: Inbox
    outbox: Outbox
    clock: int = 1_000_000
    resend: bool = True
    keys: list[str] = field(default_factory=list)

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
        key = f"reply-{len(self.keys)}"
        self.keys.append(key)
        with self.database.transaction() as connection:
            row_id = self.outbox.add(connection, key=key, inbox_id=None, phone=phone, text=text)
        assert row_id is not None
        return row_id

    def report(self, status: str, key: str | None, uuid: str) -> bytes | None:
        """Apply a report of the provider."""
        content = spoki_events.parse(encode(outbound(status, key, uuid))).content
        assert not isinstance(content, InboundMessage)
        with self.database.transaction() as connection:
            return self.outbox.settle(connection, content)  # type: ignore[arg-type]  # a report

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


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    database = open_database(tmp_path / "p.db")
    seal = Seal({"k1": b"s" * 32}, b"i" * 32)
    found = Ledger(
        database, Inbox(database, seal, GRACE), Outbox(database, seal, GRACE, CLAIM_TIME)
    )
    for module in (inbox_module, outbox_module, unfinished):
        monkeypatch.setattr(module, "now_ms", lambda: found.clock)
    yield found
    database.close()

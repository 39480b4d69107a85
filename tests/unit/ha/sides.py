"""Two databases: a former leader's, and the one that is led from now."""

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from app.commands.asked import read
from app.commands.store import CameBy, Commands, Sender
from app.events.hearing import tell_message
from app.events.outgoing import Events
from app.gateway.handover_api import handover_routes
from app.guests.bookings import Bookings
from app.guests.guests import Guests
from app.guests.requests import Requests
from app.ha.taking_in import Keeper
from app.leading import Alone
from app.messages import leading
from app.messages.doubt import cast_doubt
from app.messages.events import InboundMessage, StatusReport
from app.messages.handed_over import highest_ids
from app.messages.inbox import Inbox, Outcome
from app.messages.outbox import Draft, Outbox, OutboxRow
from app.messages.outgoing import Kind, Text
from app.messages.settling import settle
from app.messages.unfinished import Patience
from app.providers import spoki_events
from app.sealing import Seal
from app.settings_api import Scope as ClientScope
from app.store.database import DatabaseError, Row, connect, now_ms, open_database
from app.web.clients import Admitted, Caller
from app.web.problems import answer_with_problems
from tests.support import breakers
from tests.support.events import GUEST, encode, inbound, outbound
from tests.unit.messages.conftest import CLAIM_TIME, ECHO_WAIT, GRACE, RULES

SEAL = Seal({"k1": b"s" * 32}, b"i" * 32)
OTHER = "+390000000002"


class Side:
    """One node's database, and what its worker would do with it."""

    def __init__(self, path: Path) -> None:
        self.database = open_database(path)
        self.events = Events(self.database, SEAL, enabled=True)
        self.inbox = Inbox(self.database, SEAL, GRACE)
        self.commands = Commands(self.database, SEAL, GRACE)
        self.guests = Guests(self.database, SEAL)
        self.bookings = Bookings(self.database, SEAL)
        self.requests = Requests(self.database, SEAL)
        self.jobs: list[tuple[str, int]] = []
        self.outbox = Outbox(
            self.database,
            SEAL,
            RULES,
            breakers.closed(),
            leadership=Alone(),
            grace=GRACE,
            claim_time=CLAIM_TIME,
            on_instead=lambda _connection, _row: None,
        )

    def begin(self, term: int, node: str, note: str | None = None) -> None:
        with self.database.transaction() as connection:
            leading.begin_term(connection, term, node, "failover", note)
            leading.beat(connection)

    def take_over(self, term: int = 2, ids: bool = True) -> None:
        """What the node does with the copy that it leads from."""
        with self.database.transaction() as connection:
            beat = leading.last_beat(connection)
            assert beat is not None
            at = int(beat.beat_at.timestamp() * 1000)
            found: dict[str, Any] = {"beat": beat.beat, "beat_at": at, "in_doubt": 0}
            if ids:
                found["ids"] = highest_ids(connection)
            cast_doubt(connection, now_ms(), ECHO_WAIT)
            leading.begin_term(connection, term, "vps", "failover", json.dumps(found))

    def receive(self, event: dict[str, Any], *, held: bool = False) -> int | None:
        """Accept an event of the provider's; its row if it is new. ``held``: perhaps answered."""
        body = encode(event)
        held_until = datetime.now(UTC) + ECHO_WAIT if held else None
        statement = self.inbox.accept(spoki_events.parse(body), body, held_until)
        with self.database.transaction() as connection:
            return statement(connection).row_id

    def answer(self, row_id: int) -> OutboxRow | None:
        """Answer a message and claim the answer, in one transaction, as the worker does."""
        row = self.inbox.open_row(row_id)
        if row is None or row.guest is None:
            return None
        message = spoki_events.parse(row.body).content
        assert isinstance(message, InboundMessage)
        with self.database.transaction() as connection:
            assert self.inbox.close(connection, row_id, Outcome())
            key, text = f"reply-{message.message_id}", Text("Certo")
            draft = Draft(key, message.phone, Kind.REPLY, text, "it", inbox_id=row_id)
            outbox_id = self.outbox.add(connection, draft)
            return self.outbox.claim_within(connection, outbox_id) if outbox_id else None

    def send(self, row: OutboxRow) -> str:
        """The provider took it; its id there."""
        provider_id = f"{self.database.path.parent.name}-{row.idempotency_key}"
        self.outbox.sent(row.row_id, provider_id)
        return provider_id

    def replied(self, text: str, phone: str = GUEST) -> dict[str, Any]:
        """A message that came and was answered; the event."""
        event = inbound(text, phone)
        row_id = self.receive(event)
        assert row_id is not None
        claimed = self.answer(row_id)
        assert claimed is not None
        self.send(claimed)
        return event

    def push(self, command_id: str, name: str, payload: dict[str, Any], client: str) -> int:
        """Accept a pushed command; its row."""
        asked = read(json.dumps({"id": command_id, "name": name, "payload": payload}))
        sender = Sender(client, f"key-{command_id}", CameBy.PUSH, None)
        with self.database.transaction() as connection:
            return self.commands.accept(command_id, asked, sender)(connection).row_id

    def one(self, sql: str, *parameters: Any) -> Row:
        row = self.database.one(sql, parameters)
        assert row is not None
        return row

    def names(self) -> set[tuple[str, str]]:
        """The events of the inbox."""
        return {
            (row["source"], row["event_id"]) for row in self.database.all("SELECT * FROM inbox")
        }

    def rows(self, table: str) -> list[dict[str, Any]]:
        return [dict(row) for row in self.database.all(f"SELECT * FROM {table}")]

    def work(self, *, in_doubt: bool = False) -> list[OutboxRow]:
        """All that may be sent once every report is read: claimed and sent. No doubt is over while
        ``in_doubt``, else all are."""
        for row_id in self.inbox.open_reports(1000):
            self._apply_report(row_id)
        if not in_doubt:
            connection = self.database.connection
            connection.execute("UPDATE inbox SET held_until = NULL")
            connection.execute(
                "UPDATE outbox SET state = 'pending', not_before = 0 WHERE state = 'unknown'"
            )
        found: list[OutboxRow] = []
        while more := self._claim_all():
            found += more
        return found

    def _claim_all(self) -> list[OutboxRow]:
        """What may go by now, sent; then what stood behind it may go."""
        messages = "SELECT id FROM inbox WHERE state = 'received' AND guest IS NOT NULL"
        claimed = [self.answer(row["id"]) for row in self.database.all(f"{messages} ORDER BY id")]
        pending = self.database.all("SELECT id FROM outbox WHERE state = 'pending' ORDER BY id")
        claimed += [self.outbox.claim(row["id"]) for row in pending]
        found = [row for row in claimed if row is not None]
        for row in found:
            self.send(row)
        return found

    def _apply_report(self, row_id: int) -> None:
        row = self.inbox.open_row(row_id)
        assert row is not None
        report = spoki_events.parse(row.body).content
        assert isinstance(report, StatusReport)
        with self.database.transaction() as connection:
            settle(connection, report)
            self.inbox.close(connection, row_id, Outcome())


def report_of(key: str, provider_id: str, status: str = "Delivered") -> dict[str, Any]:
    """A report of the provider's on a message."""
    return outbound(status, key, provider_id)


class Peer(TestClient):
    """The other node's client of the leader. ``cut`` says of a request, by its number, whether
    it is lost ('before') or its answer is ('after')."""

    def __init__(self, leader: Side, resend: bool = True) -> None:
        keeper = Keeper(
            leader.database,
            SEAL,
            leader.inbox,
            leader.commands,
            Patience(GRACE, ECHO_WAIT, resend),
            partial(tell_message, leader.events),
        )
        app = FastAPI()
        answer_with_problems(app, DatabaseError)
        app.include_router(handover_routes(keeper, lambda *job: leader.jobs.append(job)))
        super().__init__(_admitting(app, "mac"))
        self.cut: Callable[[int], str | None] = lambda _number: None
        self.on_taken: Callable[[int], None] = lambda _number: None
        self.asked = 0

    def post(self, *arguments: Any, **named: Any) -> httpx.Response:
        self.asked += 1
        how = self.cut(self.asked)
        if how == "before":
            raise httpx.ConnectError("cut")
        answer: httpx.Response = super().post(*arguments, **named)
        self.on_taken(self.asked)
        if how == "after":
            raise httpx.ReadTimeout("cut")
        return answer


def _admitting(app: ASGIApp, name: str) -> ASGIApp:
    """What `app.web.gate` leaves for the routes, once a signature was right."""

    async def admit(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            caller = Caller(name, "request", "10.86.0.2")
            admitted = Admitted(caller, frozenset({ClientScope.NODE}))
            scope["state"] = {**scope.get("state", {}), "admitted": admitted}
        await app(scope, receive, send)

    return admit


_DIRECTORY = TemporaryDirectory()  # gone with this process


@cache
def _empty() -> Path:
    path = Path(_DIRECTORY.name) / "portiere.db"
    open_database(path).close()
    return path


def former_leader(directory: Path) -> Side:
    """A database that is led from, in term 1, by the Mac."""
    folder = directory / "aside" / "term-1-20261127T100000.000000Z"
    folder.mkdir(parents=True)
    shutil.copy(_empty(), folder / "portiere.db")
    side = Side(folder / "portiere.db")
    side.begin(1, "mac")
    return side


def copied(former: Side, directory: Path, **how: Any) -> Side:
    """The leader from now on, with a copy of this moment."""
    with former.database.transaction() as connection:
        leading.beat(connection)
    folder = directory / "vps"
    folder.mkdir()
    with closing(connect(folder / "portiere.db")) as target:
        former.database.connection.backup(target)
    leader = Side(folder / "portiere.db")
    leader.take_over(**how)
    return leader


def close(*sides: Side) -> None:
    for side in sides:
        side.database.close_all()

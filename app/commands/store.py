"""The commands table: each command once, until it is done.

``received → done | failed`` (it can't be done) ``| dead`` (tried too often) ``| discarded`` (by a
person). A command that is done keeps its result and no payload: what it asked for is done.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from app.commands.asked import Asked, canonical, subjects_of
from app.messages import audit
from app.sealing import Seal
from app.store.database import Connection, Database, Row, from_ms, milliseconds, now_ms, to_ms

# With waits of 2, 4, 8 … 60 s this is five minutes of trying: what fails longer needs a person.
MAX_ATTEMPTS = 10
LONGEST_WAIT = timedelta(seconds=60)


class CameBy(StrEnum):
    """How a command came."""

    PUSH = "push"
    PULL = "pull"


@dataclass(frozen=True)
class Sender:
    """Who asks: a client of the API, and the request that brought it."""

    client: str
    idempotency_key: str
    came_by: CameBy
    request_id: str | None = None


@dataclass(frozen=True)
class Taken:
    """What became of a command that came in.

    ``is_new``: it was kept just now; ``is_same``: what is kept under its id or key asks the same.
    """

    row_id: int
    command_id: str
    state: str
    is_new: bool
    is_same: bool


@dataclass(frozen=True)
class CommandRow:
    """A command to be carried out, its payload opened (JSON)."""

    row_id: int
    command_id: str
    client: str
    name: str
    payload: str
    attempts: int
    request_id: str | None
    guest: bytes | None  # where it is about exactly one


@dataclass(frozen=True)
class CommandState:
    """A command as who asked for it may see it; times are aware."""

    command_id: str
    name: str
    state: str
    came_by: str
    attempts: int
    received_at: datetime
    done_at: datetime | None
    outcome: Mapping[str, Any] | None  # the result, or {code, detail}


class Commands:
    """The commands table."""

    def __init__(self, database: Database, seal: Seal, grace: timedelta) -> None:
        self._database = database
        self._seal = seal
        self._grace = milliseconds(grace)

    def accept(
        self, command_id: str, asked: Asked, sender: Sender, held_until: datetime | None = None
    ) -> Callable[..., Taken]:
        """The statements that keep a command, once by its id and once by the client's key.

        Sealed here, run in a transaction: a group commit's, or the caller's. Until ``held_until``
        (aware) nobody carries it out.
        """
        plain = asked.payload.model_dump_json()
        subjects = subjects_of(asked.payload)
        guests = subjects.guests | {self._seal.index(phone) for phone in subjects.phones}
        bookings = {self._seal.index(f"booking:{a}:{b}") for a, b in subjects.bookings}
        now = now_ms()
        values = {
            "command_id": command_id,
            "client": sender.client,
            "key": sender.idempotency_key,
            "digest": self._seal.index(canonical(asked)),
            "name": str(asked.name),
            "sealed_payload": self._seal.seal(plain, f"commands.payload:{command_id}"),
            "came_by": sender.came_by,
            "request_id": sender.request_id,
            "now": now,
            "held_until": None if held_until is None else to_ms(held_until),
            "next_at": now + self._grace if held_until is None else to_ms(held_until),
        }

        def insert(connection: Connection) -> Taken:
            rows = connection.execute(_INSERT, values).fetchall()
            if not rows:
                (held,) = connection.execute(_HELD, values).fetchall()
                is_same = held["digest"] == values["digest"]
                return Taken(held["id"], held["command_id"], held["state"], False, is_same)
            row_id = int(rows[0]["id"])
            audit.record(
                connection,
                actor=sender.client,
                action="command.received",
                target=command_id,
                request_id=sender.request_id,
                detail={"name": asked.name, "came_by": sender.came_by},
            )
            connection.executemany(
                "INSERT INTO command_subjects (command, subject, is_guest) VALUES (?, ?, ?)",
                [(row_id, one, True) for one in guests]
                + [(row_id, one, False) for one in bookings],
            )
            return Taken(row_id, command_id, "received", True, True)

        return insert

    def open_row(self, connection: Connection, row_id: int) -> CommandRow | None:
        """The row if it may be carried out now, else None: it is done, an earlier one about the
        same guest or booking isn't, or the queue is paused."""
        rows = connection.execute(_OPEN_AND_FIRST, {"id": row_id, "now": now_ms()}).fetchall()
        return self._opened(connection, rows[0]) if rows else None

    def followers(self, connection: Connection, row_id: int) -> tuple[int, ...]:
        """The open rows that waited for this one, the first of each guest and booking."""
        rows = connection.execute(_FOLLOWERS, {"id": row_id}).fetchall()
        return tuple(sorted({int(row["next"]) for row in rows}))

    def finish(
        self,
        connection: Connection,
        row: CommandRow,
        state: Literal["done", "failed"],
        outcome: Mapping[str, Any],
    ) -> None:
        """Close a row, in the transaction of what it did. ``outcome`` is shown to who asked."""
        sealed = self._seal.seal(json.dumps(outcome), f"commands.result:{row.command_id}")
        note = outcome.get("code") if state == "failed" else None
        values = {"id": row.row_id, "state": state, "sealed": sealed, "now": now_ms(), "note": note}
        connection.execute(_FINISH, values)
        audit.record(
            connection,
            actor=row.client,
            action="command.finished",
            target=row.command_id,
            outcome=note or audit.OK,
            request_id=row.request_id,
            detail={"name": row.name},
        )
        if state == "done":
            self._forget_payload(connection, row)

    def postpone(self, connection: Connection, row_id: int, reason: str) -> CommandRow | None:
        """Note a failed attempt and when to try again; returns the row once it is dead."""
        rows = connection.execute(
            _POSTPONE,
            {
                "id": row_id,
                "reason": reason,
                "most": MAX_ATTEMPTS,
                "now": now_ms(),
                "longest": milliseconds(LONGEST_WAIT),
            },
        ).fetchall()
        is_dead = bool(rows) and rows[0]["state"] == "dead"
        return self._opened(connection, rows[0]) if is_dead else None

    def purge(self, connection: Connection, keep: timedelta) -> int:
        """Delete what was done, or discarded, longer ago; how many. Its id is then forgotten."""
        before = now_ms() - milliseconds(keep)
        return connection.execute(
            "DELETE FROM commands WHERE done_at < ? AND state IN ('done', 'discarded')", (before,)
        ).rowcount

    def state_of(self, command_id: str) -> CommandState | None:
        """How far a command is."""
        row = self._database.one("SELECT * FROM commands WHERE command_id = ?", (command_id,))
        if row is None:
            return None
        sealed = row["sealed_result"]
        plain = None if sealed is None else self._seal.open(sealed, f"commands.result:{command_id}")
        return CommandState(
            command_id=command_id,
            name=row["name"],
            state=row["state"],
            came_by=row["came_by"],
            attempts=row["attempts"],
            received_at=from_ms(row["received_at"]),
            done_at=None if row["done_at"] is None else from_ms(row["done_at"]),
            outcome=json.loads(plain) if plain else None,
        )

    def _forget_payload(self, connection: Connection, row: CommandRow) -> None:
        emptied = self._seal.seal("{}", f"commands.payload:{row.command_id}")
        connection.execute(
            "UPDATE commands SET sealed_payload = ? WHERE id = ?", (emptied, row.row_id)
        )
        connection.execute("DELETE FROM command_subjects WHERE command = ?", (row.row_id,))

    def _opened(self, connection: Connection, row: Row) -> CommandRow:
        guests = connection.execute(
            "SELECT subject FROM command_subjects WHERE command = ? AND is_guest", (row["id"],)
        ).fetchall()
        command_id = row["command_id"]
        return CommandRow(
            row_id=row["id"],
            command_id=command_id,
            client=row["client"],
            name=row["name"],
            payload=self._seal.open(row["sealed_payload"], f"commands.payload:{command_id}"),
            attempts=row["attempts"],
            request_id=row["request_id"],
            guest=guests[0]["subject"] if len(guests) == 1 else None,
        )


_INSERT = """
INSERT INTO commands (command_id, client, idempotency_key, digest, name, sealed_payload, state,
                      came_by, request_id, received_at, held_until, next_at)
VALUES (:command_id, :client, :key, :digest, :name, :sealed_payload, 'received',
        :came_by, :request_id, :now, :held_until, :next_at)
ON CONFLICT DO NOTHING RETURNING id
"""

# By the id first: the same command may come by another way under another key.
_HELD = """
SELECT id, command_id, state, digest FROM commands
WHERE command_id = :command_id OR (client = :client AND idempotency_key = :key)
ORDER BY command_id = :command_id DESC LIMIT 1
"""

_OPEN_AND_FIRST = """
SELECT id, command_id, client, name, sealed_payload, attempts, request_id FROM commands
WHERE id = :id AND state = 'received' AND coalesce(held_until, 0) <= :now
AND (name = 'RESUME' OR NOT EXISTS (SELECT 1 FROM paused_queues WHERE queue = 'commands'))
AND NOT EXISTS (
    SELECT 1 FROM command_subjects AS mine
    JOIN command_subjects AS theirs
        ON theirs.subject = mine.subject AND theirs.command < mine.command
    JOIN commands AS earlier ON earlier.id = theirs.command AND earlier.state = 'received'
    WHERE mine.command = commands.id
)
"""

_FOLLOWERS = """
SELECT min(later.id) AS next FROM command_subjects AS mine
JOIN command_subjects AS theirs ON theirs.subject = mine.subject AND theirs.command > mine.command
JOIN commands AS later ON later.id = theirs.command AND later.state = 'received'
WHERE mine.command = :id GROUP BY mine.subject
"""

_FINISH = """
UPDATE commands SET state = :state, sealed_result = :sealed, note = :note, done_at = :now
WHERE id = :id AND state = 'received'
"""

_POSTPONE = """
UPDATE commands SET attempts = attempts + 1, note = :reason,
    state = CASE WHEN attempts + 1 >= :most THEN 'dead' ELSE state END,
    done_at = CASE WHEN attempts + 1 >= :most THEN :now END,
    next_at = :now + min(:longest, 1000 << (attempts + 1))
WHERE id = :id AND state = 'received'
RETURNING id, command_id, client, name, sealed_payload, attempts, request_id, state
"""

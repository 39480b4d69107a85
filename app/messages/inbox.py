"""The inbox: every event that came in, once, until it is done.

``received → done``, or ``ignored`` (nothing is to be done about it), or ``dead`` (tried too often).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.messages.events import Content, Event, InboundMessage, Unhandled
from app.sealing import Seal
from app.store.database import Connection, Database, Row, from_ms, milliseconds, now_ms, to_ms

# With waits of 2, 4, 8 … 60 s this is five minutes of trying: what fails longer needs a person.
MAX_ATTEMPTS = 10
LONGEST_WAIT = timedelta(seconds=60)


@dataclass(frozen=True)
class Accepted:
    """What became of an event: its row (None if the event was here already) and what it holds."""

    row_id: int | None
    content: Content


@dataclass(frozen=True)
class InboxRow:
    """An event to be worked on, its body opened."""

    row_id: int
    source: str
    event_id: str
    guest: bytes | None
    body: bytes
    received_at: datetime


@dataclass(frozen=True)
class Outcome:
    """What came of a row: the language the guest is known by, if a person is to look, a note."""

    language: str | None = None
    needs_person: bool = False
    note: str | None = None


class Inbox:
    """The inbox table."""

    def __init__(self, database: Database, seal: Seal, grace: timedelta) -> None:
        self._database = database
        self._seal = seal
        self._grace = milliseconds(grace)

    def accept(
        self, event: Event, body: bytes, held_until: datetime | None = None
    ) -> Callable[[Connection], Accepted]:
        """The statement that keeps ``event``; sealed here, run in a group commit.

        Until ``held_until`` (aware) nobody works on it, if it is a guest's message: what others
        say of ours is what is waited for.
        """
        guest = None
        state, note = "received", None
        if isinstance(event.content, InboundMessage):
            guest = self._seal.index(event.content.phone)
        elif isinstance(event.content, Unhandled):
            state, note = "ignored", event.content.reason
        now = now_ms()
        held = None if held_until is None or guest is None else to_ms(held_until)
        values = {
            "source": event.source,
            "event_id": event.event_id,
            "event": event.name,
            "guest": guest,
            "sealed_body": self._seal.seal(body.decode(), _context(event.event_id)),
            "state": state,
            "note": note,
            "now": now,
            "held_until": held,
            "next_at": now + self._grace if held is None else held,
        }

        def insert(connection: Connection) -> Accepted:
            # Not fetchone: the statement has to run to its end to let go of the database.
            rows = connection.execute(_INSERT, values).fetchall()
            return Accepted(rows[0]["id"] if rows else None, event.content)

        return insert

    def open_row(self, row_id: int, *, in_turn: bool = True) -> InboxRow | None:
        """The row if it may be done by now and, ``in_turn``, its guest's earlier ones are done."""
        row = self._database.one(
            _OPEN_AND_FIRST if in_turn else _OPEN, {"id": row_id, "now": now_ms()}
        )
        return None if row is None else self._opened(row)

    def open_reports(self, count: int) -> list[int]:
        """Rows that are no guest's message and are to be done now, oldest first."""
        # By itself SQLite takes the index of guests, and reads all reports that there ever were.
        rows = self._database.all(
            "SELECT id FROM inbox INDEXED BY inbox_open_reports WHERE state = 'received' "
            "AND guest IS NULL AND (attempts = 0 OR next_at <= ?) ORDER BY id LIMIT ?",
            (now_ms(), count),
        )
        return [int(row["id"]) for row in rows]

    def open_after(self, row: InboxRow, count: int) -> list[InboxRow]:
        """The rows of the same guest that are to be done after ``row``, in order."""
        parameters = {"guest": row.guest, "id": row.row_id, "n": count, "now": now_ms()}
        rows = self._database.all(_OPEN_AFTER, parameters)
        return [self._opened(one) for one in rows]

    def wait(self, row_id: int, until: datetime) -> None:
        """Leave a row to the relay until then."""
        with self._database.transaction(durable=False) as connection:
            connection.execute(
                "UPDATE inbox SET next_at = ? WHERE id = ? AND state = 'received'",
                (to_ms(until), row_id),
            )

    def next_of_guest(self, guest: bytes, after: int) -> int | None:
        """The guest's next row to be done after ``after``, if one waits."""
        row = self._database.one(
            "SELECT id FROM inbox WHERE guest = ? AND id > ? AND state = 'received' ORDER BY id",
            (guest, after),
        )
        return None if row is None else int(row["id"])

    def close(self, connection: Connection, row_id: int, outcome: Outcome) -> bool:
        """Mark a row done, in the caller's transaction; False if another was quicker."""
        changed = connection.execute(
            "UPDATE inbox SET state = 'done', language = ?, needs_person = ?, note = ?, "
            "done_at = ? WHERE id = ? AND state = 'received'",
            (outcome.language, outcome.needs_person, outcome.note, now_ms(), row_id),
        )
        return changed.rowcount == 1

    def postpone(self, row_id: int, error: str) -> bool:
        """Note a failed attempt and when to try again; False once the row is dead."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "UPDATE inbox SET attempts = attempts + 1, note = :error, "
                "state = CASE WHEN attempts + 1 >= :most THEN 'dead' ELSE state END, "
                "next_at = :now + min(:longest, 1000 << (attempts + 1)) "
                "WHERE id = :id AND state = 'received' RETURNING state",
                {
                    "id": row_id,
                    "error": error,
                    "most": MAX_ATTEMPTS,
                    "now": now_ms(),
                    "longest": milliseconds(LONGEST_WAIT),
                },
            ).fetchall()
        return not row or row[0]["state"] != "dead"

    def _opened(self, row: Row) -> InboxRow:
        body = self._seal.open(row["sealed_body"], _context(row["event_id"]))
        return InboxRow(
            row["id"],
            row["source"],
            row["event_id"],
            row["guest"],
            body.encode(),
            from_ms(row["received_at"]),
        )


def _context(event_id: str) -> str:
    return f"inbox.body:{event_id}"


_INSERT = """
INSERT INTO inbox (source, event_id, event, guest, sealed_body, state, note,
                   received_at, held_until, next_at)
VALUES (:source, :event_id, :event, :guest, :sealed_body, :state, :note,
        :now, :held_until, :next_at)
ON CONFLICT DO NOTHING RETURNING id
"""

# A guest is answered in the order they wrote; rows without a guest (status reports) are free.
_OPEN_AND_FIRST = """
SELECT id, source, event_id, guest, sealed_body, received_at FROM inbox
WHERE id = :id AND state = 'received' AND coalesce(held_until, 0) <= :now
AND NOT EXISTS (
    SELECT 1 FROM inbox AS earlier
    WHERE earlier.guest = inbox.guest AND earlier.id < inbox.id AND earlier.state = 'received'
)
"""

_OPEN = """
SELECT id, source, event_id, guest, sealed_body, received_at FROM inbox
WHERE id = :id AND state = 'received' AND coalesce(held_until, 0) <= :now
"""

_OPEN_AFTER = """
SELECT id, source, event_id, guest, sealed_body, received_at FROM inbox
WHERE guest = :guest AND id > :id AND state = 'received' AND coalesce(held_until, 0) <= :now
ORDER BY id LIMIT :n
"""

"""Dead letters: what was given up and waits for a person, whatever table it stands in.

They are seen as one list: messages that could not be answered, sends that failed, commands that
failed, events that the cloud did not take. A person sends them on their way again or discards them.
A row without a note was erased with its guest, and is nobody's letter.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from app.messages.unfinished import NO_ECHO
from app.sealing import Seal
from app.store.database import Connection, Database, Row, from_ms, now_ms, to_ms
from app.store.sealed import columns_of, readable

PAGE: Final = 100


class LetterKind(StrEnum):
    """The tables that letters stand in."""

    INBOX = "inbox"  # what guests wrote, and the provider's reports
    OUTBOX = "outbox"  # what was to be sent
    COMMANDS = "commands"  # what the cloud asked for
    EVENTS = "cloud_events"  # what the cloud was to be told


class Replay(StrEnum):
    """What came of sending a letter on its way again."""

    REPLAYED = "replayed"
    GONE = "gone"  # it is no dead letter, or no more
    IN_DOUBT = "in_doubt"  # it was perhaps sent: a guest might get it twice


@dataclass(frozen=True)
class Letter:
    """One dead letter; ``what`` is the event, kind or name that its table has. ``since`` is aware:
    when its row was written."""

    kind: LetterKind
    row_id: int
    what: str
    state: str
    note: str
    attempts: int
    since: datetime


@dataclass(frozen=True)
class Sieve:
    """Which letters: of a kind, with a note that has ``note`` in it, written before (aware)."""

    kind: LetterKind | None = None
    note: str | None = None
    before: datetime | None = None


class DeadLetters:
    """The dead letters of all tables."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    def page(
        self, sieve: Sieve, after: tuple[str, int] = ("", 0), most: int = PAGE
    ) -> list[Letter]:
        """Those that ``sieve`` lets through, by kind and row, ``most`` at once; ``after`` is kind
        and row of the last one seen."""
        rows = self._database.all(
            _PAGE,
            {
                "kind": sieve.kind,
                "note": sieve.note,
                "before": None if sieve.before is None else to_ms(sieve.before),
                "after_kind": after[0],
                "after_row": after[1],
                "most": most,
            },
        )
        return [_letter(row) for row in rows]

    def all(self, sieve: Sieve) -> Iterator[Letter]:
        """All that ``sieve`` lets through, read page by page: they may be replayed meanwhile."""
        after = ("", 0)
        while found := self.page(sieve, after):
            yield from found
            after = (found[-1].kind, found[-1].row_id)

    def counts(self) -> dict[LetterKind, int]:
        """How many there are of each kind."""
        rows = self._database.all(f"SELECT kind, count(*) AS n FROM ({_LETTERS}) GROUP BY kind")  # noqa: S608 - a constant
        found = {row["kind"]: int(row["n"]) for row in rows}
        return {kind: found.get(kind, 0) for kind in LetterKind}

    def show(self, kind: LetterKind, row_id: int, *, reveal: bool) -> dict[str, Any] | None:
        """A letter's whole row; what is sealed only by its length, unless ``reveal``.

        None if it is no dead letter. Raises :class:`app.sealing.SealError`.
        """
        if self._database.one(_ONE, {"kind": kind, "row_id": row_id}) is None:
            return None
        row = self._database.one(f"SELECT * FROM {kind} WHERE id = ?", (row_id,))  # noqa: S608 - ours
        if row is None:
            return None
        shown = readable(self._seal, kind, row)
        return shown if reveal else _masked(kind, shown)

    def replay(
        self, connection: Connection, kind: LetterKind, row_id: int, *, in_doubt: bool = False
    ) -> Replay:
        """Send a letter on its way again, as if it were new, in the caller's transaction.

        A message keeps its idempotency key; one that was perhaps sent goes again only where
        somebody has looked and says so, by ``in_doubt``.
        """
        found = connection.execute(_ONE, {"kind": kind, "row_id": row_id}).fetchall()
        if not found:
            return Replay.GONE
        if kind is LetterKind.OUTBOX and found[0]["note"].startswith(NO_ECHO) and not in_doubt:
            return Replay.IN_DOUBT
        connection.execute(_AGAIN[kind], {"id": row_id, "now": now_ms()})
        return Replay.REPLAYED

    def discard(
        self, connection: Connection, kind: LetterKind, row_id: int, by: str, reason: str
    ) -> bool:
        """Nothing is to be done about it any more, in the caller's transaction; False if it is no
        dead letter."""
        values = {"kind": kind, "row_id": row_id, "now": now_ms(), "by": by, "reason": reason}
        return connection.execute(_DISCARD, values).rowcount == 1


def _letter(row: Row) -> Letter:
    return Letter(
        kind=LetterKind(row["kind"]),
        row_id=row["row_id"],
        what=row["what"],
        state=row["state"],
        note=row["note"],
        attempts=row["attempts"],
        since=from_ms(row["since"]),
    )


def _masked(kind: LetterKind, shown: Mapping[str, Any]) -> dict[str, Any]:
    sealed = {column.name.partition(".")[2] for column in columns_of(kind)}
    return {
        key: f"sealed, {len(value)} characters" if key in sealed and value is not None else value
        for key, value in shown.items()
    }


_LETTERS: Final = """
SELECT kind, row_id, what, state, note, attempts, since FROM (
    SELECT 'inbox' AS kind, id AS row_id, event AS what, state, note, attempts,
           received_at AS since
    FROM inbox WHERE state = 'dead'
    UNION ALL
    SELECT 'outbox', id, kind, state, note, attempts, created_at FROM outbox WHERE state = 'failed'
    UNION ALL
    SELECT 'commands', id, name, state, note, attempts, received_at
    FROM commands WHERE state IN ('failed', 'dead')
    UNION ALL
    SELECT 'cloud_events', id, name, state, note, attempts, created_at
    FROM cloud_events WHERE state = 'parked'
) AS letter
WHERE note IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM discarded_letters AS gone
    WHERE gone.kind = letter.kind AND gone.row_id = letter.row_id
)
"""

_PAGE: Final = f"""
SELECT * FROM ({_LETTERS})
WHERE (kind, row_id) > (:after_kind, :after_row)
AND (:kind IS NULL OR kind = :kind)
AND (:note IS NULL OR instr(lower(note), lower(:note)) > 0)
AND (:before IS NULL OR since < :before)
ORDER BY kind, row_id LIMIT :most
"""  # noqa: S608 - a constant

_ONE: Final = f"SELECT note FROM ({_LETTERS}) WHERE kind = :kind AND row_id = :row_id"  # noqa: S608

_DISCARD: Final = f"""
INSERT INTO discarded_letters (kind, row_id, at, by, reason)
SELECT kind, row_id, :now, :by, :reason FROM ({_LETTERS})
WHERE kind = :kind AND row_id = :row_id
"""  # noqa: S608 - a constant

_AGAIN: Final[Mapping[LetterKind, str]] = {
    LetterKind.INBOX: """
        UPDATE inbox SET state = 'received', attempts = 0, note = NULL, next_at = :now
        WHERE id = :id
    """,
    # The attempts go on: each sending is told of once.
    LetterKind.OUTBOX: """
        UPDATE outbox SET state = 'pending', note = NULL, rule = NULL, provider_id = NULL,
                          not_before = :now, next_at = :now
        WHERE id = :id
    """,
    LetterKind.COMMANDS: """
        UPDATE commands SET state = 'received', attempts = 0, note = NULL, sealed_result = NULL,
                            done_at = NULL, next_at = :now
        WHERE id = :id
    """,
    LetterKind.EVENTS: """
        UPDATE cloud_events SET state = 'waiting', attempts = 0, note = NULL, waiting_since = :now
        WHERE id = :id
    """,
}

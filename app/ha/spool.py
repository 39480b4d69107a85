"""The spool: what this node's door took while another leads, on this node's own disk.

A small SQLite file beside the database, never replicated. A row is ``waiting`` while the leader's
database lacks it, as far as is known here, and ``kept`` once the leader has it: then it stays until
the copy of the database here has it too. ``offered``: the leader may have it, and may have acted on
it. Several gateway processes and the node use it at once.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog

from app.ha.spool_file import make_file
from app.ha.spooled import MANY, Entry, Kind, Told
from app.sealing import Seal, SealError
from app.store.database import (
    Connection,
    Database,
    Row,
    now_ms,
)

log = structlog.get_logger()


class State(StrEnum):
    """Whether the leader's database has it, as far as is known here."""

    WAITING = "waiting"
    KEPT = "kept"


@dataclass(frozen=True)
class Spooled:
    """A row; ``at`` is when it came to its state (ms), ``term`` the one in which it was taken, or
    in which the leader decided on it."""

    row_id: int
    entry: Entry
    state: State
    offered: bool
    at: int
    term: int


@dataclass(frozen=True)
class Named:
    """A row by its names (see :class:`Entry`), since when it is in its state (ms), and the term of
    the leader that has it."""

    row_id: int
    kind: Kind
    names: list[list[str]]
    at: int
    term: int


@dataclass(frozen=True)
class CaughtUp:
    """All that the leader of ``term`` had up to the row ``row_id``, and kept here by ``at`` (ms, by
    this machine's clock), the copy has seen (see `app.ha.caught_up`)."""

    row_id: int
    at: int
    term: int

    def covers(self, row: Named) -> bool:
        """Whether the copy has seen it. One that came again since is newer than its number."""
        return row.row_id <= self.row_id and row.at <= self.at and row.term == self.term


@dataclass(frozen=True)
class Took:
    """What became of an entry: its row; whether it has this content; a command's id there."""

    row_id: int
    is_new: bool
    is_same: bool
    command_id: str


Keep = Callable[[Connection], Took]


class Spool:
    """The file at ``path``, made if it isn't there; bodies are sealed."""

    def __init__(self, path: Path, seal: Seal) -> None:
        self._seal = seal
        make_file(path)
        self.database = Database(path)

    def keep(self, entry: Entry, term: int, *, mirrored: bool = False) -> Took:
        """Keep an entry; it is on the disk when this returns. See :meth:`keeping`."""
        statement = self.keeping(entry, term, mirrored=mirrored)
        with self.database.transaction() as connection:
            return statement(connection)

    def keeping(self, entry: Entry, term: int, *, mirrored: bool = False) -> Keep:
        """The statement that keeps an entry; sealed here, run in a group commit.

        ``mirrored``: the leader sends it, while it commits it; else it came to this node's own door
        and waits, even where it was mirrored before: a leader that died before its commit lacks it.
        For the same reason what waits goes on waiting when it is mirrored.
        """
        digest = self._seal.index(entry.content)
        values = {
            "kind": entry.kind,
            "key": entry.key,
            "digest": digest,
            "names": json.dumps(entry.names),
            "sealed": self._seal.seal(entry.model_dump_json(), _context(entry.key)),
            "state": State.KEPT if mirrored else State.WAITING,
            "offered": mirrored,
            "now": now_ms(),
            "term": term,
        }

        def insert(connection: Connection) -> Took:
            if rows := connection.execute(_INSERT, values).fetchall():
                return Took(rows[0]["id"], True, True, entry.command_id)
            again = _OFFERED_AGAIN if mirrored else _CAME_AGAIN
            (row,) = connection.execute(again, values).fetchall()
            is_same = row["digest"] == digest
            command_id = json.loads(row["names"])[0][-1] if entry.kind is Kind.COMMAND else ""
            return Took(row["id"], False, is_same, command_id)

        return insert

    def offer(self, row_ids: Iterable[int]) -> None:
        """They are about to be sent to the leader: from now on it may have them."""
        self._each("UPDATE spool SET offered = 1 WHERE id = ?", row_ids)

    def take_back(self, row_ids: Iterable[int]) -> None:
        """The leader surely hasn't got these: they never left, or it said so."""
        self._each("UPDATE spool SET offered = 0 WHERE state = 'waiting' AND id = ?", row_ids)

    def wait_again(self, row_ids: Iterable[int]) -> None:
        """The leader lacks these, which an earlier one had and may have acted on."""
        self._each(
            "UPDATE spool SET state = 'waiting', offered = 1, told = NULL "
            "WHERE state = 'kept' AND id = ?",
            row_ids,
        )

    def taken(self, row_ids: Iterable[int], term: int) -> None:
        """The database of the leader of ``term`` has these."""
        self.settle(dict.fromkeys(row_ids), term)

    def settle(self, told: Mapping[int, Told | None], term: int) -> None:
        """The leader of ``term`` has decided on these, and told what became of them."""
        now = now_ms()
        with self.database.transaction(durable=False) as connection:
            connection.executemany(
                "UPDATE spool SET state = 'kept', offered = 1, at = ?, told = ?, term = ? "
                "WHERE id = ?",
                [
                    (now, one and one.model_dump_json(), term, row_id)
                    for row_id, one in told.items()
                ],
            )

    def told(self, row_id: int) -> Told | None:
        """What the leader told of a row; None: nothing yet."""
        row = self.database.one("SELECT told FROM spool WHERE id = ?", (row_id,))
        return None if row is None or not row["told"] else Told.model_validate_json(row["told"])

    def waiting(self, limit: int = MANY, after: int = 0) -> list[Spooled]:
        """What the leader lacks, after the row ``after``, in the order in which it came."""
        sql = "SELECT * FROM spool WHERE state = 'waiting' AND id > ? ORDER BY id LIMIT ?"
        return self._page(sql, after, limit)

    def all_after(self, limit: int = MANY, after: int = 0) -> list[Spooled]:
        """All rows after the row ``after``, in the order in which they came."""
        return self._page("SELECT * FROM spool WHERE id > ? ORDER BY id LIMIT ?", after, limit)

    def kept(self, limit: int) -> list[Named]:
        """The oldest rows that the leader has, unopened."""
        rows = self.database.all(
            "SELECT id, kind, names, at, term FROM spool WHERE state = 'kept' ORDER BY id LIMIT ?",
            (limit,),
        )
        return [
            Named(row["id"], Kind(row["kind"]), json.loads(row["names"]), row["at"], row["term"])
            for row in rows
        ]

    def prune(self, row_ids: Iterable[int]) -> None:
        """Forget these, unless they came again meanwhile."""
        self._each("DELETE FROM spool WHERE state = 'kept' AND id = ?", row_ids)

    def last_id(self) -> int:
        """The highest number that a row had; 0 before the first."""
        row = self.database.one("SELECT seq FROM sqlite_sequence WHERE name = 'spool'")
        return 0 if row is None else int(row["seq"])

    def note(self, mark: CaughtUp) -> None:
        """Note how far the copy has caught up."""
        with self.database.transaction(durable=False) as connection:
            connection.execute(_NOTE, asdict(mark))

    def caught_up(self) -> CaughtUp | None:
        """How far the copy has caught up, as far as is known."""
        row = self.database.one("SELECT row_id, at, term FROM caught_up WHERE id = 1")
        return None if row is None else CaughtUp(row["row_id"], row["at"], row["term"])

    def forget(self, mark: CaughtUp) -> None:
        """Forget what the mark covers."""
        with self.database.transaction(durable=False) as connection:
            connection.execute(
                "DELETE FROM spool "
                "WHERE state = 'kept' AND id <= :row_id AND at <= :at AND term = :term",
                asdict(mark),
            )

    def remove(self, row_ids: Iterable[int]) -> None:
        """Forget these: they are in the database here, which is the leader's."""
        self._each("DELETE FROM spool WHERE id = ?", row_ids)

    def count(self, state: State = State.WAITING) -> int:
        """How many rows there are in this state."""
        row = self.database.one("SELECT count(*) AS n FROM spool WHERE state = ?", (state,))
        return int(row["n"]) if row else 0

    def _each(self, sql: str, row_ids: Iterable[int]) -> None:
        # Not synced: what a power cut takes back is offered, or pruned, once more.
        with self.database.transaction(durable=False) as connection:
            connection.executemany(sql, [(row_id,) for row_id in row_ids])

    def _page(self, sql: str, after: int, limit: int) -> list[Spooled]:
        """The next rows that can be opened; those that can't hold up nobody."""
        while rows := self.database.all(sql, (after, limit)):
            if found := [opened for row in rows if (opened := self._opened(row)) is not None]:
                return found
            after = rows[-1]["id"]
        return []

    def _opened(self, row: Row) -> Spooled | None:
        try:
            opened = self._seal.open(row["sealed"], _context(row["key"]))
            entry = Entry.model_validate_json(opened)
        except (SealError, ValueError) as error:  # its key is gone, or a newer release wrote it
            log.error("spooled_unreadable", row=row["id"], reason=type(error).__name__)
            return None
        state = State(row["state"])
        return Spooled(row["id"], entry, state, bool(row["offered"]), row["at"], row["term"])


def _context(key: str) -> str:
    return f"spool.sealed:{key}"


_NOTE: Final = """
INSERT INTO caught_up (id, row_id, at, term) VALUES (1, :row_id, :at, :term)
ON CONFLICT (id) DO UPDATE SET row_id = :row_id, at = :at, term = :term
"""

_INSERT: Final = """
INSERT INTO spool (kind, key, digest, names, sealed, state, offered, at, term)
VALUES (:kind, :key, :digest, :names, :sealed, :state, :offered, :now, :term)
ON CONFLICT DO NOTHING RETURNING id
"""

_OFFERED_AGAIN: Final = """
UPDATE spool SET offered = 1 WHERE kind = :kind AND key = :key RETURNING id, digest, names
"""

# A command with another content is refused at this door: it must not make the first wait again.
_CAME_AGAIN: Final = """
UPDATE spool SET state = iif(digest = :digest, 'waiting', state), at = :now
WHERE kind = :kind AND key = :key RETURNING id, digest, names
"""

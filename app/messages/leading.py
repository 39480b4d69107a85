"""Who leads, as the database itself knows it: its terms, and its beat.

A term is written into the file before anything is sent in it, so a copy of the file says by itself
up to which term it may be believed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from app.store.database import Connection, from_ms, now_ms

How: TypeAlias = Literal["first", "failover", "switchover", "forced", "restored"]


# In the file a restore stands as forced, and the note says of what: the column takes no other word,
# and a release from before knows none.
_KEPT_AS: Final = {"restored": "forced"}


class StaleTermError(Exception):
    """The file has been written in a later term, or in the same one by another node."""


@dataclass(frozen=True)
class Term:
    """A time in which ``node`` led; ``began_at`` is aware, ``note`` says what was found."""

    term: int
    node: str
    began_at: datetime
    how: str
    note: str | None


@dataclass(frozen=True)
class Beat:
    """The newest beat of the file: its number, when it was (aware), the newest event by then."""

    beat: int
    beat_at: datetime
    last_event: int


def begin_term(
    connection: Connection, term: int, node: str, how: How, note: str | None = None
) -> None:
    """Write into the file that ``node`` leads in ``term`` from now on, in the caller's transaction.

    Once more for the same node and term changes nothing. ``note`` is JSON; where a backup was
    restored its ``restored`` says which. Raises :class:`StaleTermError`.
    """
    rows = connection.execute("SELECT term, node FROM leadership WHERE id = 1").fetchall()
    held = (rows[0]["term"], rows[0]["node"]) if rows else (0, node)
    if held == (term, node):
        return
    if term <= held[0]:
        raise StaleTermError(f"term {term} of {node}: the file is in term {held[0]} of {held[1]}")
    kept_as = _KEPT_AS.get(how, how)
    values = {"term": term, "node": node, "now": now_ms(), "how": kept_as, "note": note}
    connection.execute(_LEAD, values)
    connection.execute(_TERM, values)


def beat(connection: Connection) -> None:
    """Count up, in the caller's transaction; nothing while nobody has begun a term."""
    connection.execute(_BEAT, {"now": now_ms()})


def close(connection: Connection) -> None:
    """Say in the file that it was handed over in order: nothing was sent after this. In the
    caller's transaction."""
    connection.execute("UPDATE leadership SET closed = 1 WHERE id = 1")


def reopen(connection: Connection) -> None:
    """Say in the file that it is led with, in the caller's transaction."""
    connection.execute("UPDATE leadership SET closed = 0 WHERE id = 1")


def is_closed(connection: Connection) -> bool:
    """Whether the file was handed over in order, and not led with since."""
    rows = connection.execute("SELECT closed FROM leadership WHERE id = 1").fetchall()
    return bool(rows and rows[0]["closed"])


def current(connection: Connection) -> int | None:
    """The term in which the file is being written; None before the first."""
    rows = connection.execute("SELECT term FROM leadership WHERE id = 1").fetchall()
    return int(rows[0]["term"]) if rows else None


def terms(connection: Connection, limit: int) -> list[Term]:
    """The newest terms, the newest first."""
    rows = connection.execute(_TERMS, (limit,)).fetchall()
    return [
        Term(row["term"], row["node"], from_ms(row["began_at"]), row["how"], row["note"])
        for row in rows
    ]


def last_beat(connection: Connection) -> Beat | None:
    """The file's newest beat; None before the first term."""
    rows = connection.execute(
        "SELECT beat, beat_at, last_event FROM leadership WHERE id = 1"
    ).fetchall()
    if not rows:
        return None
    return Beat(rows[0]["beat"], from_ms(rows[0]["beat_at"]), rows[0]["last_event"])


# The beat goes on counting: a number means one moment, whoever led.
_LEAD = """
INSERT INTO leadership (id, term, node, since, beat, beat_at, last_event)
VALUES (1, :term, :node, :now, 1, :now, (SELECT coalesce(max(id), 0) FROM cloud_events))
ON CONFLICT (id) DO UPDATE SET term = :term, node = :node, since = :now
"""

_TERM = """
INSERT INTO terms (term, node, began_at, how, note) VALUES (:term, :node, :now, :how, :note)
"""

_TERMS = """
SELECT term, node, began_at, note,
       CASE WHEN json_valid(note) AND json_extract(note, '$.restored') IS NOT NULL
            THEN 'restored' ELSE how END AS how
FROM terms ORDER BY term DESC LIMIT ?
"""

_BEAT = """
UPDATE leadership SET beat = beat + 1, beat_at = :now,
                      last_event = (SELECT coalesce(max(id), 0) FROM cloud_events)
WHERE id = 1
"""

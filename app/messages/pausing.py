"""Pausing: a person, or the cloud, stops one kind of work; its rows wait, in order.

A pause is a row, so it outlives restarts. Who works asks in the transaction that claims the work;
what is of the emergency lane passes `answers` and `sends` all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from app.store.database import Connection, Database, from_ms, now_ms


class Queue(StrEnum):
    """What can be paused."""

    ANSWERS = "answers"  # to what guests write
    SENDS = "sends"  # whatever goes to guests, notices too
    NOTICES = "notices"  # what the system says by itself
    COMMANDS = "commands"  # what the cloud asks for
    EVENTS = "events"  # what the cloud is told


@dataclass(frozen=True)
class Pause:
    """A queue that is paused: since when (aware), by whom and why."""

    queue: Queue
    since: datetime
    by: str
    reason: str


def pause(connection: Connection, queue: Queue, by: str, reason: str) -> bool:
    """Pause ``queue``, in the caller's transaction; False if it was: then it stays as it was."""
    inserted = connection.execute(
        "INSERT INTO paused_queues (queue, paused_at, paused_by, reason) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        (queue, now_ms(), by, reason),
    )
    return inserted.rowcount == 1


def resume(connection: Connection, queue: Queue) -> bool:
    """Go on with ``queue``, in the caller's transaction; False if it was not paused.

    What waits is due at once: the next sweep takes it up.
    """
    deleted = connection.execute("DELETE FROM paused_queues WHERE queue = ?", (queue,))
    if deleted.rowcount == 0:
        return False
    make_due(connection, queue)
    return True


def make_due(connection: Connection, queue: Queue) -> None:
    """Let the next sweep take up what waits of ``queue``, in the caller's transaction."""
    connection.execute(_DUE_NOW[queue], {"now": now_ms()})


def is_paused(connection: Connection, queue: Queue) -> bool:
    """Whether ``queue`` is paused."""
    row = connection.execute("SELECT 1 FROM paused_queues WHERE queue = ?", (queue,)).fetchone()
    return row is not None


def paused(database: Database) -> list[Pause]:
    """The queues that are paused, the longest first."""
    rows = database.all("SELECT * FROM paused_queues ORDER BY paused_at, queue")
    return [
        Pause(Queue(row["queue"]), from_ms(row["paused_at"]), row["paused_by"], row["reason"])
        for row in rows
    ]


# Of a row of the outbox, in a query: whether no pause holds it.
NOT_PAUSED: Final = """
(outbox.lane = 'urgent' OR NOT EXISTS (
    SELECT 1 FROM paused_queues
    WHERE queue = 'sends' OR (queue = 'notices' AND outbox.lane = 'notice')
))
"""

# What must not go earlier for another reason (`not_before`) doesn't go because of this either. No
# event is too old for the cloud because it was made to wait.
_DUE_NOW: Final[Mapping[Queue, str]] = {
    Queue.ANSWERS: """
        UPDATE inbox SET next_at = :now
        WHERE state = 'received' AND guest IS NOT NULL AND next_at > :now
    """,
    Queue.SENDS: """
        UPDATE outbox SET next_at = max(:now, not_before)
        WHERE state = 'pending' AND next_at > :now
    """,
    Queue.NOTICES: """
        UPDATE outbox SET next_at = max(:now, not_before)
        WHERE state = 'pending' AND next_at > :now AND lane = 'notice'
    """,
    Queue.COMMANDS: """
        UPDATE commands SET next_at = :now WHERE state = 'received' AND next_at > :now
    """,
    Queue.EVENTS: """
        UPDATE cloud_events SET waiting_since = :now WHERE state = 'waiting'
    """,
}

"""How this node is, read from its database: for `/ready`, `/metrics` and `portiere status`.

From the database, so that whoever asks, and whichever process is asked, sees the same.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from app.messages import breakers, pausing, peers
from app.messages.breakers import KeptBreaker
from app.messages.pausing import Pause
from app.messages.peers import Peer
from app.store.database import Database, now_ms


@dataclass(frozen=True)
class Waiting:
    """How many rows wait, and how long the oldest of them has."""

    rows: int
    oldest: timedelta


@dataclass(frozen=True)
class Picture:
    """``waiting`` by what waits: the keys of :data:`WAITING`, in that order."""

    waiting: dict[str, Waiting]
    paused: list[Pause]
    breakers: list[KeptBreaker]
    peers: list[Peer]


def take(database: Database) -> Picture:
    """The picture of now. Raises DatabaseError."""
    now = now_ms()
    return Picture(
        waiting={name: _waiting(database, sql, now) for name, sql in WAITING.items()},
        paused=pausing.paused(database),
        breakers=breakers.kept(database),
        peers=peers.watched(database),
    )


def _waiting(database: Database, sql: str, now: int) -> Waiting:
    row = database.one(sql)
    if row is None or row["oldest"] is None:
        return Waiting(0, timedelta(0))
    return Waiting(row["rows"], timedelta(milliseconds=max(0, now - row["oldest"])))


# Each by a partial index of what is open, however many rows are done.
WAITING: Final = {
    "answers": """
        SELECT count(*) AS rows, min(received_at) AS oldest FROM inbox
        WHERE state = 'received' AND guest IS NOT NULL
    """,
    "sends": """
        SELECT count(*) AS rows, min(created_at) AS oldest FROM outbox
        WHERE state IN ('pending', 'sending', 'unknown')
    """,
    "commands": """
        SELECT count(*) AS rows, min(received_at) AS oldest FROM commands WHERE state = 'received'
    """,
    "events": """
        SELECT count(*) AS rows, min(created_at) AS oldest FROM cloud_events
        WHERE state = 'waiting'
    """,
    "alerts": """
        SELECT count(*) AS rows, min(created_at) AS oldest
        FROM alert_deliveries JOIN alerts ON alerts.id = alert_id WHERE state = 'pending'
    """,
    "people": """
        SELECT count(*) AS rows, min(held_since) AS oldest FROM conversations
        WHERE holder = 'person'
    """,
}

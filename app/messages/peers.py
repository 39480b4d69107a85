"""How the other nodes stand, as this one sees them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.store.database import Connection, Database, Row, from_ms, to_ms


class PeerState(StrEnum):
    """Unknown until it was seen so several times in a row."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True)
class Checked:
    """One look: how long the answer took, or why there was none."""

    latency: timedelta | None
    note: str | None


@dataclass(frozen=True)
class Peer:
    """A peer by one path. ``in_a_row``: looks in a row that contradict the state, below zero where
    they failed. Times are aware."""

    name: str
    path: str
    state: PeerState
    since: datetime
    checked_at: datetime
    in_a_row: int
    latency: timedelta | None
    note: str | None


def find(connection: Connection, name: str, path: str) -> Peer | None:
    """The peer by this path; None if nobody has looked yet."""
    row = connection.execute(
        "SELECT * FROM peers WHERE peer = ? AND path = ?", (name, path)
    ).fetchone()
    return None if row is None else _peer(row)


def keep(connection: Connection, peer: Peer) -> None:
    """Write how it stands, in the caller's transaction."""
    connection.execute(
        "INSERT OR REPLACE INTO peers "
        "(peer, path, state, since, checked_at, in_a_row, latency_ms, note) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            peer.name,
            peer.path,
            peer.state,
            to_ms(peer.since),
            to_ms(peer.checked_at),
            peer.in_a_row,
            peer.latency.total_seconds() * 1000 if peer.latency is not None else None,
            peer.note,
        ),
    )


def watched(database: Database) -> list[Peer]:
    """All that were looked at, by name and path; those not configured any more, too."""
    return [_peer(row) for row in database.all("SELECT * FROM peers ORDER BY peer, path")]


def _peer(row: Row) -> Peer:
    latency = row["latency_ms"]
    return Peer(
        name=row["peer"],
        path=row["path"],
        state=PeerState(row["state"]),
        since=from_ms(row["since"]),
        checked_at=from_ms(row["checked_at"]),
        in_a_row=row["in_a_row"],
        latency=None if latency is None else timedelta(milliseconds=latency),
        note=row["note"],
    )

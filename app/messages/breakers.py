"""How the breakers stand, kept for other processes and for the next start of this one."""

from dataclasses import dataclass
from datetime import datetime

from app.store.database import Connection, Database, Row, from_ms, to_ms


@dataclass(frozen=True)
class KeptBreaker:
    """``state``: 'closed', 'open' or 'half_open', since when (aware), and what opened it."""

    name: str
    state: str
    since: datetime
    reason: str | None


def find(connection: Connection, name: str) -> KeptBreaker | None:
    """The breaker of this name; None if it was never open."""
    row = connection.execute("SELECT * FROM breakers WHERE name = ?", (name,)).fetchone()
    return None if row is None else _kept(row)


def keep(connection: Connection, breaker: KeptBreaker) -> None:
    """Write how it stands, in the caller's transaction."""
    connection.execute(
        "INSERT INTO breakers (name, state, since, reason) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET state = excluded.state, since = excluded.since, "
        "reason = excluded.reason",
        (breaker.name, breaker.state, to_ms(breaker.since), breaker.reason),
    )


def kept(database: Database) -> list[KeptBreaker]:
    """All that were ever open, by name."""
    return [_kept(row) for row in database.all("SELECT * FROM breakers ORDER BY name")]


def _kept(row: Row) -> KeptBreaker:
    return KeptBreaker(row["name"], row["state"], from_ms(row["since"]), row["reason"])

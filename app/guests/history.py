"""What happened to a guest and their bookings: who changed what, and when.

Details are sealed JSON: ``{field: [before, after]}``. They never name another guest.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from app.sealing import Seal
from app.store.database import Connection, now_ms

# Who did it, where it was no person at the desk.
GUEST = "guest"
PORTIERE = "portiere"

Changes: TypeAlias = Mapping[str, tuple[str | None, str | None]]


@dataclass(frozen=True)
class Entry:
    """One thing that happened. ``guest`` is a blind index; ``actor`` may be a person's name."""

    event: str
    actor: str
    guest: bytes | None
    booking_id: int | None = None
    changes: Changes | None = None
    request_id: int | None = None


Heard: TypeAlias = Callable[[Connection, Entry], None]
"""Is told of each entry, in the transaction that writes it."""


def nobody(_connection: Connection, _entry: Entry) -> None:
    """Nobody is to be told."""


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """The fields that differ, their values as text."""
    return {
        field: (_text(before.get(field)), _text(value))
        for field, value in after.items()
        if before.get(field) != value
    }


def write(connection: Connection, seal: Seal, entry: Entry, heard: Heard = nobody) -> None:
    """Keep an entry, in the caller's transaction, and tell ``heard`` of it."""
    (row,) = connection.execute(
        "INSERT INTO history (guest, booking_id, at, actor, event) VALUES (?, ?, ?, ?, ?) "
        "RETURNING id",
        (entry.guest, entry.booking_id, now_ms(), entry.actor, entry.event),
    ).fetchall()
    if entry.changes:
        # Sealed after the row is there: its id is part of the context.
        detail = json.dumps(entry.changes, ensure_ascii=False)
        connection.execute(
            "UPDATE history SET sealed_detail = ? WHERE id = ?",
            (seal.seal(detail, f"history.detail:{row['id']}"), row["id"]),
        )
    heard(connection, entry)


def _text(value: object) -> str | None:
    return None if value is None else str(value)

"""The audit: who changed what, when, from where, and what came of it. Nothing of a guest."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from app.store.database import Connection, Database, from_ms, milliseconds, now_ms, to_ms
from app.web.masking import mask

OK: Final = "ok"


@dataclass(frozen=True)
class Entry:
    """A row of the audit; ``at`` is aware, ``address`` is masked."""

    at: datetime
    actor: str
    action: str
    target: str | None
    outcome: str
    request_id: str | None
    address: str | None
    detail: Mapping[str, Any]


def record(  # noqa: PLR0913 - each is one of the five Ws
    connection: Connection,
    *,
    actor: str,
    action: str,
    target: str | None = None,
    outcome: str = OK,
    request_id: str | None = None,
    address: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write an entry, in the transaction that changes what it tells of.

    ``actor`` is a client of the API or ``cli:<name>``; ``action`` like ``queue.paused``;
    ``outcome`` is :data:`OK` or the problem's type. ``request_id`` is the one that structlog has
    bound, unless given. ``address`` is masked here. ``detail`` must hold nothing of a guest.
    """
    connection.execute(
        "INSERT INTO audit (at, actor, action, target, outcome, request_id, address, detail) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            now_ms(),
            actor,
            action,
            target,
            outcome,
            request_id or structlog.contextvars.get_contextvars().get("request_id"),
            mask(address) if address else None,
            json.dumps(detail, sort_keys=True) if detail else None,
        ),
    )


def entries(
    database: Database,
    since: datetime | None = None,
    actor: str | None = None,
    action: str | None = None,
    limit: int = 1000,
) -> list[Entry]:
    """The last ``limit`` entries that fit, the oldest first.

    ``since`` is aware; ``action`` also finds what begins with it and a point: ``queue``.
    """
    rows = database.all(
        _FIND,
        {
            "since": to_ms(since) if since else 0,
            "actor": actor,
            "action": action,
            "limit": limit,
        },
    )
    return [
        Entry(
            from_ms(row["at"]),
            row["actor"],
            row["action"],
            row["target"],
            row["outcome"],
            row["request_id"],
            row["address"],
            json.loads(row["detail"] or "{}"),
        )
        for row in reversed(rows)
    ]


def purge(connection: Connection, keep: timedelta) -> int:
    """Delete what is older than ``keep``, in the caller's transaction; how many."""
    oldest = now_ms() - milliseconds(keep)
    return int(connection.execute("DELETE FROM audit WHERE at < ?", (oldest,)).rowcount)


_FIND: Final = """
SELECT * FROM audit
WHERE at >= :since
  AND (:actor IS NULL OR actor = :actor)
  AND (:action IS NULL OR action = :action
       OR substr(action, 1, length(:action) + 1) = :action || '.')
ORDER BY id DESC LIMIT :limit
"""

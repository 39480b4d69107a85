"""The hops of past messages, without a word of what was said or to whom."""

from dataclasses import dataclass

from app.store.database import Database


@dataclass(frozen=True)
class Trace:
    """One answered message; times in milliseconds since 1970, UTC, None if not reached."""

    idempotency_key: str
    state: str
    language: str | None
    attempts: int
    received_at: int
    answered_at: int
    sending_at: int | None
    sent_at: int | None
    delivered_at: int | None
    read_at: int | None


def last(database: Database, count: int) -> list[Trace]:
    """The last ``count`` answers, oldest first."""
    rows = database.all(_LAST, (count,))
    return [Trace(**dict(row)) for row in reversed(rows)]


_LAST = """
SELECT outbox.idempotency_key, outbox.state, inbox.language, outbox.attempts, inbox.received_at,
       outbox.created_at AS answered_at, outbox.sending_at, outbox.sent_at, outbox.delivered_at,
       outbox.read_at
FROM outbox JOIN inbox ON inbox.id = outbox.inbox_id
ORDER BY outbox.id DESC LIMIT ?
"""

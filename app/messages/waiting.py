"""Since when a guest has waited for a person."""

from datetime import datetime

from app.messages.conversations import Held
from app.store.database import Database, from_ms, to_ms


def waiting_since(database: Database, held: Held) -> datetime | None:
    """When the wait of a guest who is left to a person began; None if they don't wait.

    It began when they were handed over or, once a person has answered them, with the first message
    that they wrote after that.
    """
    answered_at = held.answered_at
    if answered_at is None or answered_at < held.held_since:
        return held.held_since
    row = database.one(
        "SELECT min(received_at) AS wrote_at FROM inbox WHERE guest = ? AND received_at > ?",
        (held.guest, to_ms(answered_at)),
    )
    return None if row is None or row["wrote_at"] is None else from_ms(row["wrote_at"])

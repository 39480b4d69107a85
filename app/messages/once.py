"""What the system says once by itself: whether it is written, and taking it back unsaid."""

from datetime import datetime

from app.store.database import Connection, Database, to_ms


def is_written(database: Database, key: str) -> bool:
    """Whether the outbox has the message of this idempotency key, whatever became of it."""
    row = database.one("SELECT 1 FROM outbox WHERE idempotency_key = ?", (key,))
    return row is not None


def take_back(connection: Connection, template: str, before: datetime, why: str) -> int:
    """Refuse what was written with ``template`` before that moment and hasn't gone; how many."""
    changed = connection.execute(
        "UPDATE outbox SET state = 'refused', note = :why "
        "WHERE state = 'pending' AND template = :template AND created_at < :before",
        {"why": why, "template": template, "before": to_ms(before)},
    )
    return int(changed.rowcount)

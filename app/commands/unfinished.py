"""Commands that were left behind: found by the relay's sweep, like `app.messages.unfinished`."""

from datetime import timedelta
from typing import Final

from app.messages.unfinished import LONGEST_LEAVE, SWEEP_LIMIT
from app.store.database import Database, milliseconds, now_ms


def due_commands(database: Database, grace: timedelta) -> list[int]:
    """The rows whose time has come, oldest first; each is then left alone for a while.

    What is paused stays where it is, but for the command that ends the pause.
    """
    now = now_ms()
    if database.one(f"SELECT 1 FROM commands WHERE {_DUE} LIMIT 1", {"now": now}) is None:  # noqa: S608 - ours
        return []  # asked without taking the write lock
    parameters = {
        "now": now,
        "limit": SWEEP_LIMIT,
        "grace": milliseconds(grace),
        "longest": milliseconds(LONGEST_LEAVE),
    }
    with database.transaction(durable=False) as connection:
        rows = connection.execute(_TAKE, parameters).fetchall()
    return sorted(int(row["id"]) for row in rows)


_DUE: Final = """
state = 'received' AND next_at <= :now
AND (name = 'RESUME' OR NOT EXISTS (SELECT 1 FROM paused_queues WHERE queue = 'commands'))
"""

# Left to the queue twice as long each time, so a backlog is not queued over and over.
_TAKE: Final = f"""
UPDATE commands SET next_at = :now + min(:longest, max(:grace, :now - received_at))
WHERE id IN (SELECT id FROM commands WHERE {_DUE} ORDER BY id LIMIT :limit)
RETURNING id
"""  # noqa: S608 - ours

"""Rows that were written by a clock that was ahead, told by times of theirs that aren't here yet.

A machine whose clock is days ahead leads until its authority refuses it, and one whose clock is set
right goes on with what it wrote. Such a row would wait until its own time comes, for days, and the
guest's later ones behind it.
"""

from datetime import timedelta
from typing import Final

from app.store.database import Connection, Database, milliseconds

# Rows are written by several programs at once: by the same clock none is ahead by so much.
AHEAD: Final = timedelta(minutes=1)


def bring_back(connection: Connection, now_ms: int) -> int:
    """Move all times of open rows that were written later than now back by as much as that.

    What was to wait waits as long from now on as it was to wait from then. In the caller's
    transaction; returns how many rows it moved. A message that a rule had put off before the clock
    was ahead can't be told from one that it put off since: it keeps its time.
    """
    parameters = {"now": now_ms}
    return sum(connection.execute(statement, parameters).rowcount for statement in _BRING_BACK)


def any_ahead(database: Database, now_ms: int) -> bool:
    """Whether open rows are later than a minute from now; asked without the write lock."""
    return database.one(_ANY_AHEAD, {"ahead": now_ms + milliseconds(AHEAD)}) is not None


_BRING_BACK: Final = (
    """
    UPDATE inbox SET next_at = next_at - (received_at - :now),
                     held_until = held_until - (received_at - :now), received_at = :now
    WHERE state = 'received' AND next_at > :now AND received_at > :now
    """,
    """
    UPDATE commands SET next_at = next_at - (received_at - :now),
                        held_until = held_until - (received_at - :now), received_at = :now
    WHERE state = 'received' AND next_at > :now AND received_at > :now
    """,
    # A send's waits count from its last attempt.
    """
    UPDATE outbox SET next_at = next_at - (max(created_at, coalesce(sending_at, 0)) - :now),
                      not_before = not_before - (max(created_at, coalesce(sending_at, 0)) - :now),
                      created_at = min(created_at, :now), sending_at = min(sending_at, :now)
    WHERE state IN ('pending', 'sending', 'unknown') AND next_at > :now
    AND max(created_at, coalesce(sending_at, 0)) > :now
    """,
    """
    UPDATE alert_deliveries SET next_at = :now
    WHERE state = 'pending' AND next_at > :now
    AND (SELECT created_at FROM alerts WHERE alerts.id = alert_id) > :now
    """,
    """
    UPDATE provider_pause SET until = until - (asked_at - :now), asked_at = :now
    WHERE asked_at > :now
    """,
)

# All rows are to be taken up later than they were written: the index of the open ones, by that
# time, finds the few that are far ahead.
_ANY_AHEAD: Final = """
SELECT 1 WHERE EXISTS (
    SELECT 1 FROM inbox WHERE state = 'received' AND next_at > :ahead AND received_at > :ahead
) OR EXISTS (
    SELECT 1 FROM commands WHERE state = 'received' AND next_at > :ahead AND received_at > :ahead
) OR EXISTS (
    SELECT 1 FROM outbox WHERE state IN ('pending', 'sending', 'unknown') AND next_at > :ahead
    AND max(created_at, coalesce(sending_at, 0)) > :ahead
) OR EXISTS (
    SELECT 1 FROM alert_deliveries JOIN alerts ON alerts.id = alert_id
    WHERE state = 'pending' AND next_at > :ahead AND created_at > :ahead
) OR EXISTS (
    SELECT 1 FROM provider_pause WHERE asked_at > :ahead
)
"""

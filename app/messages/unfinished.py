"""Rows that were left behind: what the relay's sweep finds and settles.

An open row carries ``next_at``. Past it nobody is working on the row any more: its queue message
was lost, its worker died, or its time to wait is over.
"""

from dataclasses import dataclass
from datetime import timedelta

import structlog

from app.messages.clocks import any_ahead, bring_back
from app.messages.pausing import NOT_PAUSED
from app.messages.settling import MovedHook, nobody
from app.store.database import Database, milliseconds, now_ms

log = structlog.get_logger()

# One sweep's work; the next sweep takes the rest.
SWEEP_LIMIT = 500
# A row that is put on the queue again is left alone twice as long each time, up to this.
LONGEST_LEAVE = timedelta(seconds=60)
# How the note begins of a send that was perhaps sent: a row 'failed' with it isn't sent again
# unless somebody has looked.
NO_ECHO = "no echo came: "


@dataclass(frozen=True)
class Unfinished:
    """Row ids to be put on the queue, oldest first."""

    messages: list[int]
    outbox: list[int]


@dataclass(frozen=True)
class Patience:
    """How long what is waited for, and what then.

    ``grace``: a fresh row is left to the queue. ``echo_wait``: a send in doubt waits for its echo,
    counted from its start; then it is sent again if ``resend``, else left to a person.
    """

    grace: timedelta
    echo_wait: timedelta
    resend: bool


def sweep(
    database: Database,
    patience: Patience,
    room: int = SWEEP_LIMIT,
    on_moved: MovedHook = nobody,
) -> Unfinished:
    """Settle sends in doubt and return the rows whose time has come, ``room`` to be sent at most.

    Rows of the outbox that are paused are left alone; those of the inbox are not, for one of them
    may be an emergency. ``on_moved`` is told of sends that are left to a person.
    """
    now = now_ms()
    if any_ahead(database, now):
        _bring_back(database, now)
    if not _due(database, now):
        return Unfinished([], [])
    parameters = {
        "now": now,
        "limit": SWEEP_LIMIT,
        "room": min(room, SWEEP_LIMIT),
        "grace": milliseconds(patience.grace),
        "longest": milliseconds(LONGEST_LEAVE),
        "echo_wait": milliseconds(patience.echo_wait),
        "after_doubt": "pending" if patience.resend else "failed",
        "no_echo": NO_ECHO,
    }
    with database.transaction(durable=False) as connection:
        connection.execute(_LOST_WORKER, parameters)
        for row in connection.execute(_DOUBT_OVER, parameters).fetchall():
            if row["state"] == "failed":
                on_moved(connection, int(row["id"]))
        inbox = connection.execute(_DUE_INBOX, parameters).fetchall()
        outbox = connection.execute(_DUE_OUTBOX, parameters).fetchall()
    return Unfinished(
        messages=sorted(row["id"] for row in inbox),
        outbox=sorted(row["id"] for row in outbox),
    )


def _bring_back(database: Database, now: int) -> None:
    with database.transaction(durable=False) as connection:
        rows = bring_back(connection, now)
    log.warning("clock_was_ahead", rows=rows)


def _due(database: Database, now: int) -> bool:
    """Whether anything is due; asked without taking the write lock."""
    return database.one(_ANY_DUE, {"now": now}) is not None


_ANY_DUE = f"""
SELECT 1 WHERE EXISTS (
    SELECT 1 FROM inbox WHERE state = 'received' AND guest IS NOT NULL AND next_at <= :now
) OR EXISTS (
    SELECT 1 FROM outbox WHERE state IN ('pending', 'sending', 'unknown') AND next_at <= :now
    AND (state <> 'pending' OR {NOT_PAUSED})
)
"""  # noqa: S608 - ours

# The echo is waited for from when the send began, so a slow sweep costs the guest nothing; but not
# to before now: what came while no worker ran was read by nobody.
_LOST_WORKER = """
UPDATE outbox SET state = 'unknown', next_at = max(:now, sending_at + :echo_wait),
                  note = 'the worker died while sending'
WHERE state = 'sending' AND next_at <= :now
"""

# Any report that came before the wait was over may be the echo, as long as nobody has read it.
_DOUBT_OVER = """
UPDATE outbox SET state = :after_doubt, next_at = :now, note = :no_echo || note
WHERE state = 'unknown' AND next_at <= :now AND NOT EXISTS (
    SELECT 1 FROM inbox INDEXED BY inbox_open_reports
    WHERE inbox.state = 'received' AND inbox.guest IS NULL
    AND inbox.attempts = 0 AND inbox.received_at <= outbox.next_at
)
RETURNING id, state
"""

# A row is left to the queue twice as long each time, so a backlog is not queued over and over.
_DUE_INBOX = """
UPDATE inbox SET next_at = :now + min(:longest, max(:grace, :now - received_at))
WHERE id IN (
    SELECT id FROM inbox WHERE state = 'received' AND guest IS NOT NULL AND next_at <= :now
    ORDER BY id LIMIT :limit
)
RETURNING id
"""

# Only the first of a guest's lane may go; those behind it follow. Where there is room for one, it
# must be one that can go.
_DUE_OUTBOX = f"""
UPDATE outbox SET next_at = :now + min(:longest, max(:grace, :now - created_at))
WHERE id IN (
    SELECT id FROM outbox WHERE state = 'pending' AND next_at <= :now AND {NOT_PAUSED}
    AND NOT EXISTS (
        SELECT 1 FROM outbox AS earlier
        WHERE earlier.guest = outbox.guest AND earlier.lane = outbox.lane
        AND earlier.id < outbox.id AND earlier.state IN ('pending', 'sending', 'unknown')
    )
    ORDER BY id LIMIT :room
)
RETURNING id
"""  # noqa: S608 - ours

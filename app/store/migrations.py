"""The schema, step by step. A step that has been released is never changed.

A new step is :func:`additive`: then a release that doesn't know it can still work with the file,
and can be gone back to (docs/releasing.md).

Times are milliseconds since 1970, UTC; days are ISO dates; money is text with a point. Columns
named ``sealed_…`` hold what `app.sealing` wrote; ``guest`` is the blind index of a phone.
"""

from collections.abc import Callable
from typing import Final

from sqlite_utils import Database, Migrations

from app.store.failover_schema import FAILOVER
from app.store.front_desk_schema import ALERTS, CONVERSATIONS, GUESTS
from app.store.gateway_schema import COMMANDS, DEAD_LETTERS, EVENTS, WATCHING, WHO_CALLED

migrations = Migrations("portiere")
# Which steps are additive stands in the file itself, for releases that don't know them: as a set of
# steps that do nothing, so no table is needed for it.
additive_steps: Final = Migrations("portiere: additive")

Step = Callable[[Database], None]


def additive(step: Step) -> Step:
    """A step that adds tables, indexes that aren't unique, or columns that may be left out.

    What was there stays as it was, also what a column may hold: a release that knows nothing of the
    step reads and writes as before.
    """
    migrations()(step)
    additive_steps(name=step.__name__)(_nothing)
    return step


def newer_steps(database: Database) -> list[str]:
    """Steps of its schema that this release can't work with: a newer one made them.

    What only adds to it (:func:`additive`) is none of them.
    """
    known = {migration.name for migration in migrations.pending(Database(memory=True))}
    known |= {noted.name for noted in additive_steps.applied(database)}
    return [m.name for m in migrations.applied(database) if m.name not in known]


def _nothing(_: Database) -> None:
    """What is noted is that the step was made."""


@migrations()
def inbox_and_outbox(db: Database) -> None:
    """What came in, and what goes out."""
    for statement in _INBOX_AND_OUTBOX:
        db.execute(statement)


@migrations()
def front_desk(db: Database) -> None:
    """Who writes, what they booked and asked for, who speaks with them, whom the desk calls."""
    for statement in (*GUESTS, *CONVERSATIONS, *ALERTS):
        db.execute(statement)


@migrations()
def gateway(db: Database) -> None:
    """Who calls, what the cloud asks for and is told, what is paused, who is up."""
    for statement in (*WHO_CALLED, *COMMANDS, *EVENTS, *DEAD_LETTERS, *WATCHING):
        db.execute(statement)


@migrations()
def what_messages_cost(db: Database) -> None:
    """What the price of a message goes by, besides how it was sent."""
    # The template's purpose, and the country (ISO 3166) of the phone.
    for column in ("purpose", "country"):
        db.execute(f"ALTER TABLE outbox ADD COLUMN {column} TEXT")


@migrations()
def failover(db: Database) -> None:
    """Who led in which term, and what is left to find out when the lead changes."""
    for statement in FAILOVER:
        db.execute(statement)


@additive
def open_reports(db: Database) -> None:
    """The provider's reports that are to be applied: looked for five times a second."""
    # By `inbox_guest` each look went through all reports that there ever were.
    db.execute(
        "CREATE INDEX inbox_open_reports ON inbox (id) WHERE state = 'received' AND guest IS NULL"
    )


_INBOX_AND_OUTBOX = (
    """
    CREATE TABLE inbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        source TEXT NOT NULL,                -- who sent it: 'spoki'
        event_id TEXT NOT NULL,              -- the provider's id of this event
        event TEXT NOT NULL,                 -- its name, as the provider has it
        guest BLOB,                          -- blind index of the guest's phone, if it has one
        sealed_body BLOB NOT NULL,           -- the event as it came
        state TEXT NOT NULL CHECK (state IN ('received', 'done', 'ignored', 'dead')),
        note TEXT,                           -- why it was ignored, or the last error
        language TEXT,                       -- what a message told of its guest's language
        needs_person INTEGER NOT NULL DEFAULT 0, -- the answer said that a person will see to it
        attempts INTEGER NOT NULL DEFAULT 0,
        received_at INTEGER NOT NULL,
        next_at INTEGER NOT NULL,            -- when the relay takes an open row up again
        done_at INTEGER,
        UNIQUE (source, event_id)
    )
    """,
    "CREATE INDEX inbox_open ON inbox (next_at) WHERE state = 'received'",
    "CREATE INDEX inbox_guest ON inbox (guest, id)",
    """
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        idempotency_key TEXT NOT NULL UNIQUE, -- also the metadata that the provider echoes
        inbox_id INTEGER REFERENCES inbox (id),
        guest BLOB NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN
            ('reply', 'confirmation', 'emergency', 'person', 'notice', 'desk')),
        lane TEXT NOT NULL CHECK (lane IN ('urgent', 'talk', 'notice')), -- order is kept in each
        sealed_phone BLOB NOT NULL,
        sealed_message BLOB NOT NULL,        -- text and choices, or a template's name and variables
        template TEXT,                       -- the template, where it is one
        language TEXT NOT NULL,
        dedupe_key TEXT,                     -- a guest gets one message of the same key
        sent_as TEXT CHECK (sent_as IN ('text', 'template')), -- what the provider was handed
        state TEXT NOT NULL CHECK (state IN
            ('pending', 'sending', 'unknown', 'sent', 'delivered', 'read', 'failed', 'refused')),
        rule TEXT,                           -- the rule of can_send() that holds or refused it
        note TEXT,                           -- why it failed, waits or was refused
        provider_id TEXT UNIQUE,
        attempts INTEGER NOT NULL DEFAULT 0,
        created_at INTEGER NOT NULL,
        not_before INTEGER NOT NULL,         -- it must not be sent earlier
        next_at INTEGER NOT NULL,            -- when the relay takes an open row up again
        sending_at INTEGER,
        sent_at INTEGER,
        delivered_at INTEGER,
        read_at INTEGER
    )
    """,
    """
    CREATE INDEX outbox_open ON outbox (next_at)
    WHERE state IN ('pending', 'sending', 'unknown')
    """,
    """
    CREATE INDEX outbox_guest_open ON outbox (guest, lane, id)
    WHERE state IN ('pending', 'sending', 'unknown')
    """,
    "CREATE INDEX outbox_dedupe ON outbox (guest, dedupe_key) WHERE dedupe_key IS NOT NULL",
    # Limits by the minute and by the day count what was handed over.
    "CREATE INDEX outbox_sending ON outbox (sent_as, sending_at) WHERE sending_at IS NOT NULL",
    "CREATE INDEX outbox_guest_sending ON outbox (guest, sending_at) WHERE sending_at IS NOT NULL",
    """
    CREATE TABLE provider_pause (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        asked_at INTEGER NOT NULL,           -- when the provider last said 429
        until INTEGER NOT NULL               -- and how long it asked us to wait
    )
    """,
)

"""The schema, step by step. A step that has been released is never changed.

Times are milliseconds since 1970, UTC. Columns named ``sealed_…`` hold what `app.store.seal`
wrote; ``guest`` is the blind index of a phone.
"""

from sqlite_utils import Database, Migrations

migrations = Migrations("portiere")


@migrations()
def inbox_and_outbox(db: Database) -> None:
    """What came in, and what goes out."""
    for statement in _INBOX_AND_OUTBOX:
        db.execute(statement)


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
        sealed_phone BLOB NOT NULL,
        sealed_text BLOB NOT NULL,
        state TEXT NOT NULL CHECK (state IN
            ('pending', 'sending', 'unknown', 'sent', 'delivered', 'read', 'failed')),
        note TEXT,                           -- why it failed or waits
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
    CREATE INDEX outbox_guest_open ON outbox (guest, id)
    WHERE state IN ('pending', 'sending', 'unknown')
    """,
)

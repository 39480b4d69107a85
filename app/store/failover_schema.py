"""The tables of leading and standing by; `app.store.migrations` makes them.

The conventions are those of `app.store.migrations`.
"""

FAILOVER = (
    """
    CREATE TABLE leadership (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        term INTEGER NOT NULL,               -- in which this file is being written; only grows
        node TEXT NOT NULL,
        since INTEGER NOT NULL,
        beat INTEGER NOT NULL,               -- counts up every second while somebody leads
        beat_at INTEGER NOT NULL,
        last_event INTEGER NOT NULL,         -- the newest of cloud_events at that beat
        closed INTEGER NOT NULL DEFAULT 0    -- handed over in order: nothing was sent after this
    )
    """,
    """
    CREATE TABLE terms (
        term INTEGER PRIMARY KEY,
        node TEXT NOT NULL,
        began_at INTEGER NOT NULL,
        how TEXT NOT NULL CHECK (how IN ('first', 'failover', 'switchover', 'forced')),
        note TEXT                            -- what was found: counts, no guest's data
    )
    """,
    # Reports on messages that this file knows nothing of: its last leader sent them, and died
    # before that was replicated.
    """
    CREATE TABLE echoes (
        idempotency_key TEXT PRIMARY KEY,
        provider_id TEXT NOT NULL,
        delivery TEXT NOT NULL,              -- 'sent', 'delivered', 'read', 'failed'
        at INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    # The term in which a message was handed to the provider.
    "ALTER TABLE outbox ADD COLUMN term INTEGER",
    # Until then nobody works on it: the last leader may have (`app.messages.doubt`).
    "ALTER TABLE inbox ADD COLUMN held_until INTEGER",
    "ALTER TABLE commands ADD COLUMN held_until INTEGER",
)

"""The tables of the gateway between the cloud and the desk; `app.store.migrations` makes them.

The conventions are those of `app.store.migrations`.
"""

WHO_CALLED = (
    """
    CREATE TABLE api_nonces (
        client TEXT NOT NULL,
        nonce TEXT NOT NULL,
        expires_at INTEGER NOT NULL,         -- afterwards its timestamp alone refuses a replay
        PRIMARY KEY (client, nonce)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX api_nonces_expired ON api_nonces (expires_at)",
    """
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,                 -- a client of the API, or 'cli:' and a name
        action TEXT NOT NULL,                -- 'command.accepted', 'queue.paused' …
        target TEXT,                         -- what it was done to: a command's id, a queue …
        outcome TEXT NOT NULL,               -- 'ok', or the problem's type
        request_id TEXT,
        address TEXT,                        -- where from, its last part masked
        detail TEXT                          -- JSON without secrets and without guests' data
    )
    """,
    "CREATE INDEX audit_at ON audit (at)",
)

COMMANDS = (
    """
    CREATE TABLE commands (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        command_id TEXT NOT NULL UNIQUE,     -- given by who asks, or made here
        client TEXT NOT NULL,
        idempotency_key TEXT NOT NULL,
        digest BLOB NOT NULL,                -- keyed hash of what is asked: same key, same?
        name TEXT NOT NULL,                  -- 'SEND_MESSAGE' …
        sealed_payload BLOB NOT NULL,        -- emptied once it is done
        state TEXT NOT NULL CHECK (state IN
            ('received', 'done', 'failed', 'dead', 'discarded')),
        came_by TEXT NOT NULL CHECK (came_by IN ('push', 'pull')),
        request_id TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        note TEXT,                           -- the last error, without guests' data
        sealed_result BLOB,
        received_at INTEGER NOT NULL,
        next_at INTEGER NOT NULL,            -- when the relay takes an open row up again
        done_at INTEGER,
        UNIQUE (client, idempotency_key)
    )
    """,
    "CREATE INDEX commands_open ON commands (next_at) WHERE state = 'received'",
    "CREATE INDEX commands_done ON commands (done_at) WHERE done_at IS NOT NULL",
    """
    CREATE TABLE command_subjects (
        command INTEGER NOT NULL REFERENCES commands (id) ON DELETE CASCADE,
        subject BLOB NOT NULL,               -- a guest's blind index, or a booking's; order is
        is_guest INTEGER NOT NULL,           -- kept for each; gone once the command is done
        PRIMARY KEY (subject, command)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX command_subjects_command ON command_subjects (command)",
)

EVENTS = (
    """
    CREATE TABLE cloud_events (
        id INTEGER PRIMARY KEY AUTOINCREMENT, -- they are told in this order
        event_id TEXT NOT NULL UNIQUE,       -- the cloud dedupes by it
        name TEXT NOT NULL,                  -- 'message.received', 'command.finished' …
        guest BLOB,                          -- whom it is about
        sealed_payload BLOB NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'parked')),
        attempts INTEGER NOT NULL DEFAULT 0,
        note TEXT,                           -- why the cloud didn't take it
        created_at INTEGER NOT NULL,
        waiting_since INTEGER NOT NULL,      -- created, or sent on its way again by a person
        delivered_at INTEGER
    )
    """,
    "CREATE INDEX cloud_events_open ON cloud_events (id) WHERE state = 'waiting'",
    "CREATE INDEX cloud_events_age ON cloud_events (waiting_since) WHERE state = 'waiting'",
    "CREATE INDEX cloud_events_parked ON cloud_events (id) WHERE state = 'parked'",
    "CREATE INDEX cloud_events_delivered ON cloud_events (delivered_at) WHERE state = 'delivered'",
    "CREATE INDEX cloud_events_guest ON cloud_events (guest) WHERE guest IS NOT NULL",
)

DEAD_LETTERS = (
    "CREATE INDEX inbox_dead ON inbox (id) WHERE state = 'dead'",
    "CREATE INDEX outbox_failed ON outbox (id) WHERE state = 'failed'",
    "CREATE INDEX commands_dead ON commands (id) WHERE state IN ('failed', 'dead')",
    """
    CREATE TABLE discarded_letters (
        kind TEXT NOT NULL,                  -- the table: 'inbox', 'outbox', 'commands' …
        row_id INTEGER NOT NULL,
        at INTEGER NOT NULL,
        by TEXT NOT NULL,                    -- a client of the API, or 'cli:' and a name
        reason TEXT NOT NULL,
        PRIMARY KEY (kind, row_id)
    ) WITHOUT ROWID
    """,
)

WATCHING = (
    """
    CREATE TABLE paused_queues (
        queue TEXT PRIMARY KEY,              -- 'answers', 'sends', 'notices', 'commands', 'events'
        paused_at INTEGER NOT NULL,
        paused_by TEXT NOT NULL,
        reason TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE breakers (
        name TEXT PRIMARY KEY,               -- 'spoki', 'whatsapp_cloud', 'cloud'
        state TEXT NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
        since INTEGER NOT NULL,
        reason TEXT
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE peers (
        peer TEXT NOT NULL,                  -- 'vps', 'mac', 'cloud'
        path TEXT NOT NULL,                  -- 'link' or 'public'
        state TEXT NOT NULL CHECK (state IN ('unknown', 'up', 'down')),
        since INTEGER NOT NULL,
        checked_at INTEGER NOT NULL,
        in_a_row INTEGER NOT NULL,           -- looks in a row that contradict state; < 0: failed
        latency_ms REAL,
        note TEXT,
        PRIMARY KEY (peer, path)
    ) WITHOUT ROWID
    """,
)

"""The tables of guests, conversations and alerts; `app.store.migrations` makes them.

The conventions are those of `app.store.migrations`.
"""

GUESTS = (
    """
    CREATE TABLE guests (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        guest BLOB NOT NULL UNIQUE,
        sealed_phone BLOB NOT NULL,
        sealed_name BLOB,
        sealed_email BLOB,
        language TEXT,                       -- ISO 639-1, as they last wrote or as booked
        time_zone TEXT,                      -- IANA name, if known better than by the phone
        consent TEXT NOT NULL DEFAULT 'unknown' CHECK (consent IN
            ('unknown', 'given', 'withdrawn')),
        consent_source TEXT,                 -- where: 'whatsapp', 'booking'
        consent_at INTEGER,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE bookings (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        channel TEXT NOT NULL,               -- 'direct', 'booking.com' …
        code TEXT NOT NULL,                  -- the channel's number of it
        guest BLOB,                          -- unknown while all that is known is the number
        unit TEXT,                           -- room or flat
        arrival TEXT,
        departure TEXT,
        party INTEGER,                       -- how many people
        status TEXT NOT NULL CHECK (status IN
            ('requested', 'confirmed', 'cancelled', 'ended')),
        flight_number TEXT,
        balance TEXT,                        -- what is left to pay
        currency TEXT,                       -- ISO 4217
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        ended_at INTEGER,
        UNIQUE (channel, code)
    )
    """,
    "CREATE INDEX bookings_guest ON bookings (guest, arrival)",
    "CREATE INDEX bookings_departure ON bookings (departure) WHERE status = 'confirmed'",
    """
    CREATE TABLE history (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        guest BLOB,
        booking_id INTEGER REFERENCES bookings (id),
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,                 -- 'guest', 'portiere', or a person's name at the desk
        event TEXT NOT NULL,                 -- 'guest_created', 'booking_changed' …
        sealed_detail BLOB
    )
    """,
    "CREATE INDEX history_guest ON history (guest, id)",
)

CONVERSATIONS = (
    """
    CREATE TABLE conversations (
        guest BLOB PRIMARY KEY,
        holder TEXT NOT NULL DEFAULT 'bot' CHECK (holder IN ('bot', 'person')),
        held_by TEXT,                        -- the person, once one took it
        reason TEXT,                         -- why a person is needed: an intent
        held_since INTEGER,
        answered_at INTEGER,                 -- when a person last wrote to the guest
        reminded_at INTEGER,
        reminders INTEGER NOT NULL DEFAULT 0,
        topic TEXT,                          -- the intent last answered, for "and at what time?"
        topic_at INTEGER
    ) WITHOUT ROWID
    """,
    "CREATE INDEX conversations_held ON conversations (held_since) WHERE holder = 'person'",
    """
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        guest BLOB NOT NULL,
        booking_id INTEGER REFERENCES bookings (id),
        inbox_id INTEGER REFERENCES inbox (id),
        kind TEXT NOT NULL,                  -- 'late_checkout', 'booking_change' …
        state TEXT NOT NULL CHECK (state IN
            ('offered', 'accepted', 'declined', 'expired', 'open', 'done', 'refused')),
        sealed_detail BLOB NOT NULL,         -- what the guest wrote
        price TEXT,
        currency TEXT,
        created_at INTEGER NOT NULL,
        expires_at INTEGER,                  -- until when an offer may be accepted
        closed_at INTEGER,
        closed_by TEXT
    )
    """,
    "CREATE INDEX requests_guest ON requests (guest, id)",
    "CREATE INDEX requests_open ON requests (id) WHERE state IN ('accepted', 'open')",
    "CREATE INDEX requests_offered ON requests (expires_at) WHERE state = 'offered'",
)

ALERTS = (
    """
    CREATE TABLE alerts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,            -- one alert for one thing
        kind TEXT NOT NULL,                  -- 'emergency', 'person_wanted', 'reminder' …
        guest BLOB,
        sealed_text BLOB NOT NULL,
        urgent INTEGER NOT NULL,
        created_at INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE alert_deliveries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        alert_id INTEGER NOT NULL REFERENCES alerts (id),
        channel TEXT NOT NULL,               -- 'slack', 'email', 'whatsapp'
        state TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'failed')),
        attempts INTEGER NOT NULL DEFAULT 0,
        next_at INTEGER NOT NULL,
        sent_at INTEGER,
        note TEXT,
        UNIQUE (alert_id, channel)
    )
    """,
    "CREATE INDEX alert_deliveries_open ON alert_deliveries (next_at) WHERE state = 'pending'",
    """
    CREATE TABLE model_calls (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        model TEXT NOT NULL,
        purpose TEXT NOT NULL,               -- 'intent' or 'wording'
        outcome TEXT NOT NULL,               -- 'used', or why its answer was not
        prompt_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        duration_ms INTEGER NOT NULL
    )
    """,
)

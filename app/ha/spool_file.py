"""The spool's own file, which gateways and node make together."""

import fcntl
from contextlib import closing
from pathlib import Path
from typing import Final

from app.store.database import DatabaseError, StoreError, connect


def make_file(path: Path) -> None:
    """Make it, if it isn't there. Raises :class:`StoreError`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Gateways and node start together: one makes it, the others wait.
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            with closing(connect(path)) as connection:
                path.chmod(0o600)
                for statement in _SCHEMA:
                    connection.execute(statement)
        except DatabaseError as error:
            raise StoreError(
                f"{path} can't be opened: {error}. It holds what this node took while another led: "
                "keep it, with its -wal, and move both away; a new one is made."
            ) from error


# Numbers are never given twice: whoever asks for what came after a row must not miss one.
_SCHEMA: Final = (
    """
    CREATE TABLE IF NOT EXISTS spool (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL CHECK (kind IN ('webhook', 'command')),
        key TEXT NOT NULL,
        digest BLOB NOT NULL,                -- of a command's content
        names TEXT NOT NULL,                 -- JSON: what the desk's tables know it by
        sealed BLOB NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'kept')),
        offered INTEGER NOT NULL,
        told TEXT,                           -- JSON: the leader's word on it
        at INTEGER NOT NULL,                 -- when it came to its state
        term INTEGER NOT NULL,
        UNIQUE (kind, key)
    )
    """,
    "CREATE INDEX IF NOT EXISTS spool_waiting ON spool (id) WHERE state = 'waiting'",
    """
    CREATE TABLE IF NOT EXISTS caught_up (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        row_id INTEGER NOT NULL,
        at INTEGER NOT NULL,
        term INTEGER NOT NULL
    )
    """,
)

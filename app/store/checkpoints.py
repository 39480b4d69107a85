"""Checkpoints of the write-ahead log, away from those who wait.

SQLite does one inside whichever commit fills the log's thousandth page: that commit pays for two
syncs of the whole file, some 40 ms. Here a thread does it; a passive one holds up nobody.

Of a database that is replicated, Litestream alone does them: while it isn't there (its node
restarts), what it hasn't read yet is in the log only, and after a passive checkpoint the next
commit begins the log anew, over it. Litestream doesn't see that (0.5.17): beside a writer with a
passive checkpoint a second, each of 16 runs of five restarts left rows out of the replica. A
truncated log it does see, and copies the whole database again.
"""

import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from app.store.database import Database, DatabaseError, Row, connect, log_of

log = structlog.get_logger()
# A flood of 2,000 events a second writes about 25 MB of log in this time.
INTERVAL = timedelta(seconds=1)
# Litestream truncates the log itself at 500 MB: one that is larger has no Litestream, and the disk
# must not fill for want of it. A leader's beats alone write about as much in a day.
LARGEST: Final = 1_000_000_000
_LOOK: Final = timedelta(minutes=1)
_TRUNCATE_WITHIN: Final = timedelta(milliseconds=500)


class Checkpoints:
    """The thread. Each process that writes has one; doing it twice costs nothing.

    ``replicated``: whether Litestream copies the database.
    """

    def __init__(self, database: Database, *, replicated: bool) -> None:
        self._database = database
        self._replicated = replicated
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        pause = _LOOK if self._replicated else INTERVAL
        while not self._stopping.wait(pause.total_seconds()):
            try:
                checkpoint(self._database, replicated=self._replicated)
            except DatabaseError as error:
                log.error("checkpoint_failed", reason=str(error))
        self._database.close()


def checkpoint(database: Database, *, replicated: bool) -> None:
    """One, if it is ours to do. Raises DatabaseError."""
    if not replicated:
        database.all("PRAGMA wal_checkpoint(PASSIVE)")
        return
    size = _log_size(database.path)
    if size > LARGEST:
        log.warning("log_truncated", megabytes=size // 1_000_000)
        database.all("PRAGMA wal_checkpoint(TRUNCATE)")


def truncate(path: Path) -> bool:
    """Empty the log of a database whose Litestream was ended, as a start that copies all needs it.

    False: others read or write, and it wasn't done within half a second. Raises DatabaseError.
    """
    with closing(connect(path)) as connection:
        connection.execute(f"PRAGMA busy_timeout = {_TRUNCATE_WITHIN // timedelta(milliseconds=1)}")
        row: Row = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not row["busy"]


def _log_size(path: Path) -> int:
    try:
        return log_of(path).stat().st_size
    except FileNotFoundError:
        return 0

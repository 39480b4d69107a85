"""Checkpoints of the write-ahead log, away from those who wait.

SQLite does one inside whichever commit fills the log's thousandth page: that commit pays for two
syncs of the whole file, some 40 ms. Here a thread does it; a passive one holds up nobody.
"""

import threading
from datetime import timedelta

import structlog

from app.store.database import Database, DatabaseError

log = structlog.get_logger()
# A flood of 2,000 events a second writes about 25 MB of log in this time.
INTERVAL = timedelta(seconds=1)


class Checkpoints:
    """The thread. Each process that writes has one; doing it twice costs nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
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
        while not self._stopping.wait(INTERVAL.total_seconds()):
            try:
                self._database.all("PRAGMA wal_checkpoint(PASSIVE)")
            except DatabaseError as error:
                log.error("checkpoint_failed", reason=str(error))
        self._database.close()

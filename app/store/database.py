"""The SQLite file: how it is opened, written and checked.

One connection a thread, autocommit, explicit ``BEGIN IMMEDIATE``. ``pysqlite3`` brings a newer
SQLite than the system's: those before 3.51.3 can, with several writers, reset the WAL under a
reader (sqlite.org, release 3.51.3).
"""

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database as MigratedDatabase

from app.store.migrations import migrations

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3

Row = sqlite3.Row
Connection = sqlite3.Connection
DatabaseError = sqlite3.Error
# Longer than any write of ours takes, shorter than a caller's patience.
BUSY_TIMEOUT = timedelta(seconds=5)


class StoreError(Exception):
    """The file can't be used; the message says why and what to do."""


class Database:
    """The file at ``path``; each thread that asks gets a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()

    @property
    def connection(self) -> Connection:
        """This thread's connection, opened at first use."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self.path)
        return connection

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[Connection]:
        """A write transaction: committed at the end, rolled back if the block raises.

        ``durable``: on the disk when the block is left, whatever happens to the power. Without it
        a power cut may take the last of them back (never half of one, never a durable one before
        it), which is right for what would only be found out again.
        """
        connection = self.connection
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def all(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[Row]:
        """All rows of a query."""
        return self.connection.execute(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Row | None:
        """The first row of a query, or None."""
        row: Row | None = self.connection.execute(sql, parameters).fetchone()
        return row

    def close(self) -> None:
        """Close this thread's connection."""
        connection: Connection | None = self._local.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()


def connect(path: Path) -> Connection:
    """Open ``path`` for reading and writing.

    ``synchronous=FULL``: a commit is on the disk before a webhook is answered or a message handed
    over (:meth:`Database.transaction` can do with less). ``fullfsync`` is what makes that true on a
    Mac, whose fsync stops at the drive's cache.
    """
    # Read and write it as one; threads never share a connection while it is in use.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT.total_seconds() * 1000)}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA foreign_keys = ON")
    # What is erased is overwritten; set later, it would miss what rows left behind as they moved.
    connection.execute("PRAGMA secure_delete = ON")
    # Not inside a commit that somebody waits for: see app.store.checkpoints.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def open_database(path: Path) -> Database:
    """Open the file, creating it or bringing its schema up to date.

    Raises :class:`StoreError` when the file is corrupt, can't be opened, or was written by a
    newer release.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Gateway and worker start together: one migrates, the other waits.
        with path.with_name(f"{path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            connection = connect(path)
            try:
                path.chmod(0o600)
                _check(connection, path)
                _migrate(connection, path)
            finally:
                connection.close()
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path} can't be opened: {error}") from error
    return Database(path)


def check_database(path: Path) -> None:
    """Say whether :func:`open_database` would succeed, and change nothing: no schema either.

    Raises :class:`StoreError`. A file that isn't there yet is as good as a new one.
    """
    if not path.exists():
        if not os.access(path.parent, os.W_OK):
            raise StoreError(f"{path.parent} isn't there, or this user can't write to it")
        return
    if not os.access(path, os.W_OK):
        raise StoreError(f"{path} can't be written by this user")
    try:
        connection = connect(path)
        try:
            _check(connection, path)
            _refuse_newer(MigratedDatabase(connection), path)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"{path} can't be opened: {error}") from error


def now_ms() -> int:
    """The time as the store keeps it: milliseconds since 1970, UTC."""
    return to_ms(datetime.now(UTC))


def to_ms(moment: datetime) -> int:
    """An aware time as milliseconds since 1970, UTC."""
    return int(moment.timestamp() * 1000)


def from_ms(moment: int) -> datetime:
    """Milliseconds since 1970 as an aware time in UTC."""
    return datetime.fromtimestamp(moment / 1000, UTC)


def milliseconds(duration: timedelta) -> int:
    """A duration as the store counts it."""
    return int(duration.total_seconds() * 1000)


def _check(connection: Connection, path: Path) -> None:
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise StoreError(
            f"{path} is corrupt ({verdict}). Nothing was changed. Keep the file, and put a good "
            "copy in its place."
        )


def _migrate(connection: Connection, path: Path) -> None:
    database = MigratedDatabase(connection)
    _refuse_newer(database, path)
    migrations.apply(database)


def _refuse_newer(database: MigratedDatabase, path: Path) -> None:
    known = {migration.name for migration in migrations.pending(MigratedDatabase(memory=True))}
    newer = [m.name for m in migrations.applied(database) if m.name not in known]
    if newer:
        raise StoreError(
            f"{path} was written by a newer release of Portiere (it has {', '.join(newer)}). "
            "Deploy that release again, or restore a copy from before it."
        )

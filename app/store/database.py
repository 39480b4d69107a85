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
from urllib.parse import quote
from weakref import WeakSet

from sqlite_utils import Database as MigratedDatabase

from app.store.damage import malformed, note, note_damage
from app.store.migrations import additive_steps, migrations, newer_steps
from app.store.users import Use

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3

Row = sqlite3.Row
Connection = sqlite3.Connection
DatabaseError = sqlite3.Error
# Longer than any write of ours takes, shorter than a caller's patience.
BUSY_TIMEOUT = timedelta(seconds=5)


class _Reading(Connection):
    """One whose every complaint of a damaged file is an error of SQLite's."""

    def execute(self, sql: str, *parameters: Any) -> Any:
        """As SQLite's own."""
        try:
            return super().execute(sql, *parameters)
        except UnicodeDecodeError as error:
            raise malformed(error) from error


class _Connection(_Reading):
    """One that another thread can put an end to.

    Closing it there would free the statement that its own thread is in the middle of.
    """

    is_over = False
    path: Path

    def execute(self, sql: str, *parameters: Any) -> Any:
        """As SQLite's own; once it is over, only what was begun can be taken back."""
        if self.is_over and sql != "ROLLBACK":
            raise sqlite3.ProgrammingError("the database has been closed")
        try:
            return super().execute(sql, *parameters)
        except sqlite3.Error as error:
            note_damage(self.path, error)
            raise

    def executemany(self, sql: str, parameters: Any) -> Any:
        """As SQLite's own, while it isn't over."""
        if self.is_over:
            raise sqlite3.ProgrammingError("the database has been closed")
        return super().executemany(sql, parameters)


class StoreError(Exception):
    """The file can't be used; the message says why and what to do."""


class Database:
    """The file at ``path``; each thread that asks gets a connection of its own.

    ``use``: its use for work (`app.store.users`), ended by :meth:`close_all`.
    """

    def __init__(self, path: Path, use: Use | None = None) -> None:
        self.path = path
        self._use = use
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: WeakSet[_Connection] = WeakSet()
        self._is_closed = False

    @property
    def connection(self) -> Connection:
        """This thread's connection, opened at first use."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
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
            connection.execute("COMMIT")
        except BaseException as error:
            note_damage(self.path, error)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def all(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[Row]:
        """All rows of a query."""
        with self._noting_damage():
            return self.connection.execute(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Row | None:
        """The first row of a query, or None."""
        with self._noting_damage():
            row: Row | None = self.connection.execute(sql, parameters).fetchone()
        return row

    def close(self) -> None:
        """Close this thread's connection."""
        connection: Connection | None = self._local.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()

    def close_all(self) -> None:
        """Put an end to the connections of all threads, and let go of the file.

        A thread that still works with one gets a :class:`DatabaseError` at its next statement; its
        connection is closed when it ends, or when nobody knows this object any more.
        """
        with self._lock:
            self._is_closed = True
            for connection in list(self._connections):
                connection.is_over = True
        self.close()
        if self._use is not None:
            self._use.end()

    @contextmanager
    def _noting_damage(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            note_damage(self.path, error)
            raise

    def _connect(self) -> Connection:
        with self._lock:
            if self._is_closed:
                raise sqlite3.ProgrammingError("the database has been closed")
            connection = connect(self.path)
            self._connections.add(connection)
        return connection


def log_of(path: Path) -> Path:
    """The write-ahead log of the database at ``path``."""
    return path.with_name(f"{path.name}-wal")


def connect(path: Path) -> _Connection:
    """Open ``path`` for reading and writing.

    ``synchronous=FULL``: a commit is on the disk before a webhook is answered or a message handed
    over (:meth:`Database.transaction` can do with less). ``fullfsync`` is what makes that true on a
    Mac, whose fsync stops at the drive's cache.
    """
    # Read and write it as one; threads never share a connection while it is in use.
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, factory=_Connection
    )
    connection.path = path
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


def open_copy(path: Path) -> Connection:
    """Open for a short look, for reading only, a file that another program may be writing."""
    quoted = quote(str(path.absolute()))
    connection = sqlite3.connect(
        f"file:{quoted}?mode=ro", uri=True, isolation_level=None, factory=_Reading
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA busy_timeout = 200")
    return connection


def open_database(path: Path) -> Database:
    """Open the file for work, creating it or bringing its schema up to date.

    It is in use until the process ends, or :meth:`Database.close_all`. Raises :class:`StoreError`
    when the file is corrupt, can't be opened, or was written by a newer release.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        use = Use(path)
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
    return Database(path, use)


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
            refuse_newer(MigratedDatabase(connection), path)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"{path} can't be opened: {error}") from error


def refuse_newer(database: MigratedDatabase, path: Path) -> None:
    """Raise :class:`StoreError` where this release can't work with the schema."""
    if newer := newer_steps(database):
        raise StoreError(
            f"{path} was written by a newer release of Portiere (it has {', '.join(newer)}). "
            "Deploy that release again, or restore a copy from before it."
        )


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
        note(path, verdict)
        raise StoreError(
            f"{path} is corrupt ({verdict}). Nothing was changed. Keep the file, and put a good "
            "copy in its place."
        )


def _migrate(connection: Connection, path: Path) -> None:
    database = MigratedDatabase(connection)
    refuse_newer(database, path)
    # First what they are: a step without its note would keep the release before from the file.
    additive_steps.apply(database)
    migrations.apply(database)

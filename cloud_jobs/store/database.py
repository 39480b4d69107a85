"""One store over SQLite or Postgres: reading, and writing in transactions of its own."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker

try:
    # A SQLite without the WAL-reset bug (< 3.51.3), where there is a wheel of it.
    from pysqlite3 import dbapi2 as driver
except ImportError:
    driver = sqlite3

# How long a writer waits for another: their transactions take milliseconds.
BUSY: Final = timedelta(seconds=10)
_WRITES: Final = "portiere_writes"
_DURABLE: Final = "portiere_durable"
_LEVEL: Final = "portiere_level"


class StoreError(Exception):
    """The store can't be opened; the message says what to do."""


StoreUnavailable = SQLAlchemyError
"""What the store raises when it doesn't take something."""


class Store:
    """The store at a URL: ``sqlite:////path`` or ``postgresql+psycopg://user:password@host/name``.

    Several processes share it. Sessions are short: no session is open while something is awaited.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self._reading = sessionmaker(self.engine, expire_on_commit=False)
        # Of the same pool, and only marked: see `_begin`.
        writing = self.engine.execution_options(**{_WRITES: True})
        self._writing = sessionmaker(writing, expire_on_commit=False)
        self._keeping = sessionmaker(
            writing.execution_options(**{_DURABLE: True}), expire_on_commit=False
        )

    @property
    def is_sqlite(self) -> bool:
        """Whether one file is the store."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads, one snapshot."""
        with self._reading() as session:
            yield session

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[Session]:
        """A session whose changes are committed together at its end, or not at all.

        What is ``durable`` outlives a power cut once it is committed, as all does on Postgres. On
        SQLite it is the only writer from its beginning, so what it has read doesn't change
        beneath it; on Postgres rows that are read to be changed are locked (``with_for_update``).
        """
        with (self._keeping if durable else self._writing).begin() as session:
            yield session

    def after_writing(self, heard: Callable[[Session], None]) -> None:
        """Have ``heard`` called after each writing session, committed or not, in its thread."""

        def ended(session: Session, transaction: SessionTransaction) -> None:
            if transaction.parent is None:
                heard(session)

        for sessions in (self._writing, self._keeping):
            event.listen(sessions, "after_transaction_end", ended)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        raise StoreError(
            "PORTIERE_STORE_URL is no store: write sqlite:////path/to/cloud.db or "
            "postgresql+psycopg://user:password@host/name"
        ) from None
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    engine = create_engine(parsed, module=driver, connect_args={"timeout": BUSY.total_seconds()})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    # The driver begins transactions late and by its own rules; `_begin` does instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    """A writer takes its turn at once: one that first read could not get it any more."""
    options = connection.get_execution_options()
    if not options.get(_WRITES, False):
        connection.exec_driver_sql("BEGIN")
        return
    # Only between transactions; the next writer on this connection may want the other.
    level = "FULL" if options.get(_DURABLE, False) else "NORMAL"
    if connection.info.get(_LEVEL) != level:
        connection.exec_driver_sql(f"PRAGMA synchronous = {level}")
        connection.info[_LEVEL] = level
    connection.exec_driver_sql("BEGIN IMMEDIATE")

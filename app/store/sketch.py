"""Which schema a release can work with: asked of it, of a file that is in use or is yet to be."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database as MigratedDatabase

from app.store.database import StoreError, open_copy, open_database, refuse_newer
from app.store.migrations import migrations

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3

_NOTED = "SELECT migration_set, name, applied_at FROM _sqlite_migrations"
_NOTE = (
    "INSERT OR IGNORE INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)"
)


def check_schema(path: Path) -> None:
    """Say whether this release could work with a file that another program may be writing.

    Raises :class:`StoreError`.
    """
    try:
        with closing(open_copy(path)) as connection:
            refuse_newer(MigratedDatabase(connection), path)
    except sqlite3.Error as error:
        raise StoreError(f"{path} can't be looked at: {error}") from error


def sketch(present: Path | None, to: Path) -> None:
    """Make ``to`` anew: this release's schema, and the notes of every step that ``present`` has.

    So another release that opens ``to`` says what it would say of ``present`` once this release has
    worked with it. ``present`` may be in use, and may have steps of newer releases still.

    Raises :class:`StoreError`.
    """
    _forget(to)
    noted = _noted_in(present) if present is not None else []
    made = open_database(to)
    try:
        with made.transaction() as connection:
            connection.executemany(_NOTE, noted)
    finally:
        made.close_all()


def _noted_in(present: Path) -> list[tuple[Any, ...]]:
    try:
        with closing(open_copy(present)) as connection:
            if not MigratedDatabase(connection)[migrations.migrations_table].exists():
                return []
            return [tuple(row) for row in connection.execute(_NOTED)]
    except sqlite3.Error as error:
        raise StoreError(f"{present} can't be looked at: {error}") from error


def _forget(file: Path) -> None:
    """And what SQLite and we keep beside it."""
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()

"""Whether a database that was restored may become the desk's, and whether two hold the same."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlite_utils import Database as MigratedDatabase

from app.sealing import Seal, SealError
from app.settings import Settings
from app.store.database import Connection, DatabaseError, Row, open_copy
from app.store.migrations import migrations, newer_steps
from app.store.sealed import SEALED_COLUMNS, SealedColumn

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3

# What an integrity check finds in one broken page may be a hundred lines.
_MOST_WORDS: Final = 3
# They say that it can't be looked at now, and nothing of what is in it (sqlite.org/rescode.html).
_NOT_ITS_FAULT: Final = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
}


class SoundnessError(Exception):
    """It may not become the desk's database. Says why, and what to do."""


class UncheckedError(SoundnessError):
    """It can't be looked at: busy, not there, not ours to read. Nothing is known of it."""


class DamagedError(SoundnessError):
    """What is in the file is not what was written."""


class NewerSchemaError(SoundnessError):
    """A newer release of Portiere wrote it."""


class OtherKeysError(SoundnessError):
    """Guests' data in it were sealed with keys that we don't have."""


@dataclass(frozen=True)
class TableDigest:
    """How many rows a table has, and a checksum of them all in whatever order (hex, SHA-256)."""

    rows: int
    digest: str


def check_database(path: Path, settings: Settings, *, sample: int | None = None) -> None:
    """Say whether ``path`` may become the desk's database; changes nothing.

    It is whole (``PRAGMA integrity_check``, foreign keys, all that its schema must have), of no
    newer release, and its sealed values open with our keys: all of them, or of each column
    ``sample`` ones by chance. Reads the whole file: 200 MB take some seconds. Raises a
    :class:`SoundnessError`.
    """
    with _looking(path) as connection:
        _check_integrity(connection, path)
        _check_schema(connection, path)
        _check_references(connection, path)
        _check_sealed(connection, path, settings, sample)


def table_digests(path: Path) -> Mapping[str, TableDigest]:
    """What each table holds, by its name: two copies of the same have the same.

    Raises :class:`UncheckedError` or :class:`DamagedError`.
    """
    with _looking(path) as connection:
        # Text that a flipped bit made no UTF-8 is different text, not a reason to give up.
        connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        return {name: _digest(connection, name) for name in _tables(connection)}


@contextmanager
def _looking(path: Path) -> Iterator[Connection]:
    """A connection for reading, and errors that tell what is damaged from what can't be read."""
    if not path.exists():
        raise UncheckedError(f"{path} isn't there: is PORTIERE_DATABASE right?")
    try:
        with closing(open_copy(path)) as connection:
            yield connection
    except DatabaseError as error:
        # The lower byte of an extended code is its kind.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_ITS_FAULT:
            raise UncheckedError(
                f"{path} can't be looked at: {error}. Let Portiere's user read and write where it "
                "is, then try again"
            ) from error
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, why: str) -> DamagedError:
    return DamagedError(f"{path} is damaged: {why}. Keep the file, and take an older backup")


def _check_integrity(connection: Connection, path: Path) -> None:
    found = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_MOST_WORDS})")]
    if found != ["ok"]:
        raise _damaged(path, "; ".join(" ".join(str(one).split()) for one in found))


def _check_schema(connection: Connection, path: Path) -> None:
    """Of no newer release, and with all that its steps made; what others add is no harm."""
    database = MigratedDatabase(connection)
    if newer := newer_steps(database):
        raise NewerSchemaError(
            f"{path} was written by a newer release of Portiere (it has {', '.join(newer)}). "
            "Deploy that release, or take a backup from before it"
        )
    applied = {step.name for step in migrations.applied(database)}
    if not applied:
        raise _damaged(path, "it has none of Portiere's tables")
    model = MigratedDatabase(memory=True)
    pending = [step.name for step in migrations.pending(model) if step.name not in applied]
    migrations.apply(model, stop_before=pending)
    with closing(model.conn):
        missing = _shape(model.conn) - _shape(connection)
    if missing:
        raise _damaged(path, f"it lacks {', '.join(sorted(missing)[:_MOST_WORDS])}")


def _shape(connection: Connection) -> set[str]:
    """The names of columns and indexes."""
    columns = connection.execute(
        "SELECT s.name || '.' || c.name FROM sqlite_schema s, pragma_table_info(s.name) c "
        "WHERE s.type = 'table'"
    )
    indexes = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")
    return {row[0] for row in (*columns, *indexes)}


def _check_references(connection: Connection, path: Path) -> None:
    found = connection.execute("PRAGMA foreign_key_check").fetchone()
    if found is not None:
        raise _damaged(path, f"row {found[1]} of {found[0]} belongs to no row of {found[2]}")


def _check_sealed(
    connection: Connection, path: Path, settings: Settings, sample: int | None
) -> None:
    """Keys are missing where nothing opens, or where one that we don't have sealed several."""
    seal = Seal(settings.seal_key_bytes, settings.index_key_bytes)
    opened = 0
    first: str | None = None
    unknown: Counter[bytes] = Counter()
    for column, row in _sealed(connection, sample):
        value = row[column.column]
        try:
            seal.open(value, column.context(row))
            opened += 1
        except SealError as error:
            first = first or f"{column.name} of row {row['id']}: {error}"
            unknown[value[1 : 1 + value[0]] if value else b""] += 1
    if first is None:
        return
    for key_id in settings.seal_key_bytes:
        del unknown[key_id.encode()]
    if opened and max(unknown.values(), default=0) < 2:
        raise _damaged(path, first)
    raise OtherKeysError(
        f"{path} was sealed with other keys ({first}). Add the key of then to PORTIERE_SEAL_KEYS, "
        "behind a comma: it is in the vault's history, or on paper"
    )


def _sealed(connection: Connection, sample: int | None) -> Iterator[tuple[SealedColumn, Row]]:
    """Values that are to be opened; none of a column that an older schema doesn't have."""
    there = _shape(connection)
    chosen = "" if sample is None else f"ORDER BY random() LIMIT {sample:d}"
    for column in SEALED_COLUMNS:
        if f"{column.table}.{column.column}" not in there:
            continue
        for row in connection.execute(
            f"SELECT id, {column.row_key}, {column.column} FROM {column.table} WHERE id IN "  # noqa: S608 - ours
            f"(SELECT id FROM {column.table} WHERE {column.column} IS NOT NULL {chosen})"
        ):
            yield column, row


def _tables(connection: Connection) -> list[str]:
    return [
        row[0]
        for row in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
        )
    ]


def _digest(connection: Connection, table: str) -> TableDigest:
    """The sum of the rows' checksums: a copy may have them in another order."""
    rows = total = 0
    quoted = table.replace('"', '""')
    for row in connection.execute(f'SELECT * FROM "{quoted}"'):  # noqa: S608 - a table's own name
        rows += 1
        total += int.from_bytes(hashlib.sha256(repr(tuple(row)).encode()).digest())
    return TableDigest(rows, f"{total % 2**256:064x}")

"""Rotation of the keys: every sealed value comes under the first of PORTIERE_SEAL_KEYS.

What is done shows in the values themselves, so it can be ended at any point and started again.
Values are opened and sealed outside any transaction; the write lock is held only for a batch of
updates, each of which finds its row as it was read or leaves it alone. Gateway and worker go on
meanwhile.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from app.sealing import Seal, SealError, header
from app.store.database import Database, Row
from app.store.sealed import SEALED_COLUMNS, SealedColumn

# Some 2 ms of the write lock: a webhook that comes in meanwhile hardly waits.
BATCH = 300


@dataclass
class Rotation:
    """What came of it.

    ``unreadable`` says where a value doesn't open and why, one text each; such a value is left as
    it is. ``still_sealing`` is how many values each retired key has left.
    """

    resealed: int = 0
    unreadable: list[str] = field(default_factory=list)
    still_sealing: dict[str, int] = field(default_factory=dict)


def pending(database: Database, seal: Seal) -> int:
    """How many values are not under the first key."""
    return sum(_count(database, column, "<>", seal.current) for column in SEALED_COLUMNS)


def rotate(database: Database, seal: Seal, on_batch: Callable[[int], None]) -> Rotation:
    """Seal anew what isn't under the first key; ``on_batch`` hears how many values were seen to."""
    rotation = Rotation()
    for column in SEALED_COLUMNS:
        after = 0
        while rows := _batch(database, column, seal, after):
            _reseal(database, column, seal, rows, rotation)
            after = rows[-1]["id"]
            on_batch(len(rows))
    for key_id in seal.retired:
        left = sum(_count(database, column, "=", key_id) for column in SEALED_COLUMNS)
        rotation.still_sealing[key_id] = left
    return rotation


def _reseal(
    database: Database, column: SealedColumn, seal: Seal, rows: list[Row], rotation: Rotation
) -> None:
    renewed = []
    for row in rows:
        context = column.context(row)
        try:
            plain = seal.open(row[column.column], context)
        except SealError as error:
            rotation.unreadable.append(f"{column.name} of row {row['id']}: {error}")
        else:
            renewed.append((seal.seal(plain, context), row["id"], row[column.column]))
    if not renewed:
        return
    with database.transaction() as connection:
        changed = connection.executemany(
            f"UPDATE {column.table} SET {column.column} = ? "  # noqa: S608 - names of our own
            f"WHERE id = ? AND {column.column} = ?",
            renewed,
        )
    rotation.resealed += changed.rowcount


def _batch(database: Database, column: SealedColumn, seal: Seal, after: int) -> list[Row]:
    prefix = header(seal.current)
    return database.all(
        f"SELECT id, {column.row_key}, {column.column} FROM {column.table} "  # noqa: S608 - the same
        f"WHERE id > ? AND {column.column} IS NOT NULL AND {_BEGINNING.format(column.column)} <> ? "
        "ORDER BY id LIMIT ?",
        (after, len(prefix), prefix, BATCH),
    )


def _count(database: Database, column: SealedColumn, comparison: str, key_id: str) -> int:
    prefix = header(key_id)
    row = database.one(
        f"SELECT count(*) AS n FROM {column.table} "  # noqa: S608 - the same
        f"WHERE {column.column} IS NOT NULL AND {_BEGINNING.format(column.column)} {comparison} ?",
        (len(prefix), prefix),
    )
    return 0 if row is None else int(row["n"])


# Of an empty value, which is none that was sealed, substr() makes NULL.
_BEGINNING = "coalesce(substr({}, 1, ?), x'')"

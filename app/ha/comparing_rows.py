"""A database that lay here while nobody led, row by row with what was replicated before.

The last writes may not have been replicated, so pages may differ by right. Whatever writes a row
says when, in one of its times; a byte that a disk flipped says nothing. What can't be told apart
this way: a flip in a row that was rightly written in the last moments, too.
"""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

from app.messages.leading import last_beat
from app.store.database import Connection, Row, milliseconds, open_copy, to_ms

# Of more than this it can't be told what it should be; the beats of both say how much it is.
MOST_BEATS: Final = 60
# What isn't synced each time (`Database.transaction`) may be older than the beat.
_MARGIN: Final = timedelta(seconds=60)
_TIME: Final = re.compile(r"at|.*_at|since|.*_since|until|.*_until|not_before")
# They count up, or come and go without a time; of none of them a guest is told anything.
_OWN: Final = re.compile(r"_?sqlite_.*|_litestream.*|leadership|peers|breakers")
_COUNTS: Final = {"attempts", "note", "in_a_row", "reminders"}


def unexplained_row(before: Path, now: Path) -> str | None:
    """Which row of ``now`` is not as it was in ``before``, without being written since; None: all
    are, or too much was written since to tell. Raises DatabaseError."""
    with closing(open_copy(before)) as connection:
        then = last_beat(connection)
    with closing(open_copy(now)) as connection:
        here = last_beat(connection)
        if then is None or here is None or here.beat - then.beat > MOST_BEATS:
            return None
        connection.execute("ATTACH ? AS before", (f"file:{quote(str(before.absolute()))}?mode=ro",))
        # Text that a flipped bit made no UTF-8 is text that changed.
        connection.text_factory = bytes
        since = to_ms(then.beat_at) - milliseconds(_MARGIN)
        return next(_unexplained(connection, since), None)


def _unexplained(connection: Connection, since: int) -> Iterator[str]:
    for table in _tables(connection):
        columns = _columns(connection, table)
        times = [name for name in columns if _TIME.fullmatch(name)]
        for row in _changed(connection, table, columns):
            if not _was_written(row, times, since):
                yield f"a row of {table} changed, and nobody wrote it"


def _was_written(row: Row, times: list[str], since: int) -> bool:
    """Whether one of its times changed, and to one since then."""
    return any(
        isinstance(row[name], int) and row[name] >= since and row[name] != row[f"before.{name}"]
        for name in times
    )


def _changed(connection: Connection, table: str, columns: list[str]) -> Iterator[Row]:
    """The rows that both have and that differ: the columns of now, and ``before.…`` of then."""
    keys = [
        row[0].decode()
        for row in connection.execute(
            "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", (table,)
        )
    ]
    chosen = ", ".join(f'n."{one}", b."{one}" AS "before.{one}"' for one in columns)
    same = " AND ".join(f'n."{one}" = b."{one}"' for one in keys)
    differs = " OR ".join(f'n."{one}" IS NOT b."{one}"' for one in columns)
    yield from connection.execute(
        f'SELECT {chosen} FROM before."{table}" b JOIN main."{table}" n ON {same} WHERE {differs}'  # noqa: S608 - a schema's own names
    )


def _tables(connection: Connection) -> list[str]:
    """Those that both have, all their columns with the same names."""
    found = connection.execute(
        "SELECT n.name FROM main.sqlite_schema n JOIN before.sqlite_schema b "
        "ON b.name = n.name AND b.sql = n.sql WHERE n.type = 'table' ORDER BY n.name"
    )
    names = [row[0].decode() for row in found]
    return [name for name in names if not _OWN.fullmatch(name)]


def _columns(connection: Connection, table: str) -> list[str]:
    found = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    names = [row[0].decode() for row in found]
    return [name for name in names if name not in _COUNTS]

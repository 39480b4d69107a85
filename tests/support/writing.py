"""Who writes to a desk's database without a pause, and says what is committed.

``python -m tests.support.writing DATABASE`` writes rows of ``written`` and beats, and prints each
row's number once its commit is durable; a writer started again goes on where the last one was.
"""

import sys
import time
from pathlib import Path

from app.messages import leading
from app.store.checkpoints import Checkpoints
from app.store.database import open_copy, open_database
from tests.support.processes import REPOSITORY, Process, eventually

_PAUSE = 0.02


def writer(database: Path, log: Path) -> Process:
    """The writer of ``database``, not started yet."""
    command = [sys.executable, "-m", "tests.support.writing", str(database)]
    return Process(command, {"PYTHONPATH": str(REPOSITORY)}, log)


def write_some(process: Process, rows: int) -> None:
    """Start it, and wait until it has written so many more rows."""
    seen = len(committed(process))
    process.start()
    eventually(lambda: process.alive() and len(committed(process)) >= seen + rows, "rows written")


def committed(process: Process) -> dict[int, float]:
    """The rows that were said to be committed, and when (seconds since 1970)."""
    if not process.log.exists():
        return {}
    lines = process.log.read_text().split("\n")[:-1]
    return {int(number): float(at) for number, at in (line.split() for line in lines)}


def written(database: Path) -> list[int]:
    """The rows in a file, in order."""
    connection = open_copy(database)
    try:
        return [row["id"] for row in connection.execute("SELECT id FROM written ORDER BY id")]
    finally:
        connection.close()


def _write(path: Path) -> None:
    database = open_database(path)
    with database.transaction() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS written (id INTEGER PRIMARY KEY, text TEXT)")
        if leading.current(connection) is None:
            leading.begin_term(connection, 1, "mac", "first")
    # As the desk's processes do.
    Checkpoints(database, replicated=True).start()
    while True:
        with database.transaction() as connection:
            found = connection.execute("INSERT INTO written (text) VALUES (?)", ("x" * 500,))
            leading.beat(connection)
        print(found.lastrowid, time.time(), flush=True)
        time.sleep(_PAUSE)


if __name__ == "__main__":
    _write(Path(sys.argv[1]))

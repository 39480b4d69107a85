"""Runs on a host, alone: in which term each message was claimed for sending, by each database.

Prints a JSON list of {key: term}. No guest's data: keys are numbers of messages. A database that
nobody has open is read as a copy, or reading would change what is there.
"""

import json
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

CLAIMED = "SELECT idempotency_key, term FROM outbox WHERE term IS NOT NULL"


def rows(database: Path) -> dict[str, int]:
    """The messages that were claimed, each with its term; none in a file from before terms."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            return dict(connection.execute(CLAIMED).fetchall())
        except sqlite3.OperationalError as error:
            if "no such" in str(error):
                return {}
            raise


def claimed(database: Path) -> dict[str, int]:
    """The same, of a copy where nobody has the file open."""
    if Path(f"{database}-shm").exists() and "aside" not in database.parts:
        return rows(database)
    with tempfile.TemporaryDirectory() as scratch:
        for suffix in ("", "-wal"):
            if Path(f"{database}{suffix}").exists():
                shutil.copyfile(f"{database}{suffix}", f"{scratch}/copy.db{suffix}")
        return rows(Path(scratch, "copy.db"))


if __name__ == "__main__":
    data = Path(sys.argv[1])
    found = [data / "portiere.db", *sorted(data.glob("ha/aside/*/portiere.db"))]
    print(json.dumps([claimed(database) for database in found if database.exists()]))

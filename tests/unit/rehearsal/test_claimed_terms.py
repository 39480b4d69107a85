"""What is read of the databases on the hosts."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.rehearsal import cluster


def make(database: Path, **terms: int) -> sqlite3.Connection:
    """A database in WAL mode with an outbox; in its WAL until the connection is closed."""
    database.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE outbox (idempotency_key TEXT, term INTEGER)")
    connection.executemany("INSERT INTO outbox VALUES (?, ?)", [*terms.items(), ("waits", None)])
    connection.commit()
    return connection


def test_an_open_database_and_those_set_aside_with_their_wal(tmp_path: Path) -> None:
    aside = tmp_path / "ha/aside/term-1-x"
    script = Path(cluster.__file__).with_name("claimed_terms.py").read_text()
    with closing(make(tmp_path / "elsewhere/portiere.db", a=1, b=1)):
        shutil.copytree(tmp_path / "elsewhere", aside)  # as a power cut leaves it
    before = sorted(aside.iterdir())
    with closing(make(tmp_path / "portiere.db", b=1, c=2)):
        told = subprocess.run(
            [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True
        ).stdout
    assert json.loads(told) == [{"b": 1, "c": 2}, {"a": 1, "b": 1}]
    assert sorted(aside.iterdir()) == before

"""Rotation of the keys: ended anywhere it goes on, and nobody's write is lost to it."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.sealing import Seal, header
from app.store import resealing
from app.store.database import Database, open_database
from app.store.resealing import pending, rotate

OLD, NEW, INDEX = b"o" * 32, b"n" * 32, b"i" * 32
BEFORE = Seal({"k1": OLD}, INDEX)
AFTER = Seal({"k2": NEW, "k1": OLD}, INDEX)
# Three batches: two full ones and a row more.
ALERTS = 2 * resealing.BATCH + 1
# Two batches, then kill -9.
DIES = """
import os, pathlib, signal, sys
from app.store.database import open_database
from app.store.resealing import rotate
from app.sealing import Seal
batches = []
def die(count):
    batches.append(count)
    if len(batches) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
seal = Seal({"k2": b"n" * 32, "k1": b"o" * 32}, b"i" * 32)
rotate(open_database(pathlib.Path(sys.argv[1])), seal, die)
"""


def raise_alert(database: Database, seal: Seal, key: str) -> None:
    """Write a row with a sealed column."""
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO alerts (key, kind, sealed_text, urgent, created_at) "
            "VALUES (?, 'reminder', ?, 0, 0)",
            (key, seal.seal(f"Text {key}", f"alerts.text:{key}")),
        )


def texts(database: Database, seal: Seal) -> dict[str, str]:
    """What the rows hold."""
    return {
        row["key"]: seal.open(row["sealed_text"], f"alerts.text:{row['key']}")
        for row in database.all("SELECT key, sealed_text FROM alerts")
    }


def sealed_with(database: Database, key_id: str) -> int:
    """How many rows a key sealed."""
    rows = database.all("SELECT sealed_text FROM alerts")
    return sum(row["sealed_text"].startswith(header(key_id)) for row in rows)


def ignore(count: int) -> None:
    """Nobody watches."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = open_database(tmp_path / "p.db")
    rows = [(str(n), BEFORE.seal(f"Text {n}", f"alerts.text:{n}")) for n in range(ALERTS)]
    with found.transaction() as connection:
        connection.executemany(
            "INSERT INTO alerts (key, kind, sealed_text, urgent, created_at) "
            "VALUES (?, 'reminder', ?, 0, 0)",
            rows,
        )
    yield found
    found.close()


def test_everything_comes_under_the_first_key(database: Database) -> None:
    before = texts(database, BEFORE)
    assert pending(database, AFTER) == ALERTS
    batches: list[int] = []
    rotation = rotate(database, AFTER, batches.append)
    assert batches == [resealing.BATCH, resealing.BATCH, 1]
    assert (rotation.resealed, rotation.unreadable, rotation.still_sealing) == (
        ALERTS,
        [],
        {"k1": 0},
    )
    assert pending(database, AFTER) == 0
    assert texts(database, Seal({"k2": NEW}, INDEX)) == before


def test_a_second_time_there_is_nothing_to_do(database: Database) -> None:
    rotate(database, AFTER, ignore)
    rows = database.all("SELECT sealed_text FROM alerts ORDER BY id")
    assert rotate(database, AFTER, ignore).resealed == 0
    again = database.all("SELECT sealed_text FROM alerts ORDER BY id")
    assert [bytes(row[0]) for row in again] == [bytes(row[0]) for row in rows]


def test_killed_between_batches_it_goes_on_where_it_was(database: Database) -> None:
    before = texts(database, BEFORE)
    killed = subprocess.run([sys.executable, "-c", DIES, str(database.path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert sealed_with(database, "k2") == 2 * resealing.BATCH
    assert texts(database, AFTER) == before
    rotation = rotate(database, AFTER, ignore)
    assert rotation.resealed == 1
    assert rotation.still_sealing == {"k1": 0}
    assert texts(database, Seal({"k2": NEW}, INDEX)) == before


def test_what_is_written_meanwhile_is_neither_lost_nor_forgotten(database: Database) -> None:
    def write(count: int) -> None:
        """A worker that still has the old key writes a row and changes one that comes later."""
        if count < resealing.BATCH:
            return
        raise_alert(database, BEFORE, f"new {sealed_with(database, 'k2')}")
        with database.transaction() as connection:
            connection.execute(
                "UPDATE alerts SET sealed_text = ? WHERE key = '500'",
                (BEFORE.seal("Changed", "alerts.text:500"),),
            )

    rotation = rotate(database, AFTER, write)
    assert texts(database, AFTER)["500"] == "Changed"
    assert len(texts(database, AFTER)) == ALERTS + 2
    left = sealed_with(database, "k1")
    assert left == rotation.still_sealing["k1"] > 0
    assert rotate(database, AFTER, ignore).still_sealing == {"k1": 0}
    assert sealed_with(database, "k2") == ALERTS + 2


class Overtaken(Seal):
    """A seal that somebody is always quicker than: each row is changed once it was read."""

    overtake: Callable[[], None]

    def seal(self, plain: str, context: str) -> bytes:
        """See :class:`app.sealing.Seal`."""
        self.overtake()
        return super().seal(plain, context)


def test_a_row_that_changed_since_it_was_read_is_left_alone(tmp_path: Path) -> None:
    database = open_database(tmp_path / "q.db")
    raise_alert(database, BEFORE, "a")
    seal = Overtaken({"k2": NEW, "k1": OLD}, INDEX)

    def overtake() -> None:
        with database.transaction() as connection:
            connection.execute(
                "UPDATE alerts SET sealed_text = ?", (BEFORE.seal("Newer", "alerts.text:a"),)
            )

    seal.overtake = overtake
    rotation = rotate(database, seal, ignore)
    assert (rotation.resealed, rotation.still_sealing) == (0, {"k1": 1})
    assert texts(database, AFTER) == {"a": "Newer"}
    database.close()


def test_what_does_not_open_is_named_and_left(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("UPDATE alerts SET sealed_text = x'' WHERE key = '0'")
        connection.execute(
            "UPDATE alerts SET sealed_text = ? WHERE key = '1'",
            (Seal({"k0": OLD}, INDEX).seal("x", "alerts.text:1"),),
        )
    rotation = rotate(database, AFTER, ignore)
    assert rotation.resealed == ALERTS - 2
    assert [where.partition(":")[0] for where in rotation.unreadable] == [
        "alerts.text of row 1",
        "alerts.text of row 2",
    ]
    assert "'k0' is not among" in rotation.unreadable[1]

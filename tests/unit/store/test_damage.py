"""Who meets a damaged file writes that down; who meets anything else doesn't."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.store import damage
from app.store.database import (
    Database,
    DatabaseError,
    StoreError,
    open_copy,
    open_database,
)

PAGE = 4096


def damaged(path: Path) -> Database:
    """A database with rows in it whose table is no tree any more; opened when it still was."""
    database = open_database(path)
    with database.transaction() as connection:
        for number in range(200):
            connection.execute(
                "INSERT INTO audit (at, actor, action, outcome) VALUES (?, ?, 'a', 'ok')",
                (number, "x" * 200),
            )
    database.all("PRAGMA wal_checkpoint(TRUNCATE)")
    row = database.one("SELECT rootpage FROM sqlite_schema WHERE name = 'audit'")
    assert row is not None
    database.close()
    with path.open("r+b") as file:
        file.seek((row["rootpage"] - 1) * PAGE)
        file.write(b"\xff" * 8)
    return database


def test_nothing_is_noted_of_what_is_sound(tmp_path: Path) -> None:
    database = open_database(tmp_path / "p.db")
    with pytest.raises(DatabaseError):
        database.all("SELECT * FROM nowhere")
    with pytest.raises(ZeroDivisionError), database.transaction():
        _ = 1 / 0
    assert damage.noted(database.path) is None


def in_transaction(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("DELETE FROM audit").fetchall()


@pytest.mark.parametrize(
    "meet",
    [
        lambda database: database.all("SELECT * FROM audit"),
        lambda database: database.one("SELECT * FROM audit"),
        lambda database: database.connection.execute("SELECT * FROM audit"),
        in_transaction,
    ],
)
def test_whoever_meets_damage_notes_it(tmp_path: Path, meet: Callable[[Database], None]) -> None:
    database = damaged(tmp_path / "p.db")
    with pytest.raises(DatabaseError):
        meet(database)
    noted = damage.noted(database.path)
    assert noted is not None
    assert "malformed" in noted
    damage.forget(database.path)
    assert damage.noted(database.path) is None


def test_it_is_noted_by_who_opens_it(tmp_path: Path) -> None:
    database = damaged(tmp_path / "p.db")
    database.close_all()
    with pytest.raises(StoreError, match="is corrupt"):
        open_database(database.path)
    assert damage.noted(database.path)


def test_what_is_no_database_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError):
        open_database(path)
    assert damage.noted(path)


def test_an_error_of_a_copy_says_whether_it_is_damage(tmp_path: Path) -> None:
    database = damaged(tmp_path / "p.db")
    connection = open_copy(database.path)
    with pytest.raises(DatabaseError) as found:
        connection.execute("SELECT * FROM audit").fetchall()
    connection.close()
    assert damage.is_damage(found.value)
    assert not damage.is_damage(OSError("no"))


def test_a_name_in_the_schema_that_is_no_text_any_more_is_damage(tmp_path: Path) -> None:
    database = open_database(tmp_path / "p.db")
    database.all("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close_all()
    whole = database.path.read_bytes()
    database.path.write_bytes(whole.replace(b"CREATE TABLE guests", b"CREATE TABLE gue\xd8ts"))
    connection = open_copy(database.path)
    with pytest.raises(DatabaseError) as found:
        connection.execute("SELECT * FROM bookings").fetchall()
    connection.close()
    assert damage.is_damage(found.value)


def test_a_text_that_is_no_text_any_more_is_damage(tmp_path: Path) -> None:
    database = open_database(tmp_path / "p.db")
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO audit (at, actor, action, outcome) VALUES (1, CAST(x'ff' AS TEXT), '', '')"
        )
    with pytest.raises(DatabaseError):
        database.all("SELECT actor FROM audit")
    assert damage.noted(database.path)

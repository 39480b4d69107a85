"""The SQLite file: created, migrated by many at once, refused when it is not ours."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.store.database import StoreError, check_database, connect, open_database


def test_a_new_file_has_the_schema_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "data" / "portiere.db"
    database = open_database(path)
    assert {row["name"] for row in database.all("SELECT name FROM sqlite_master")} >= {
        "inbox",
        "outbox",
    }
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_commit_is_synced(tmp_path: Path) -> None:
    database = open_database(tmp_path / "p.db")
    synchronous = database.one("PRAGMA synchronous")
    journal = database.one("PRAGMA journal_mode")
    assert synchronous is not None
    assert journal is not None
    assert (synchronous[0], journal[0]) == (2, "wal")


@pytest.mark.parametrize(("durable", "synchronous"), [(True, 2), (False, 1)])
def test_a_transaction_is_as_durable_as_it_says(
    tmp_path: Path, durable: bool, synchronous: int
) -> None:
    database = open_database(tmp_path / "p.db")
    for wanted, number in ((not durable, 3 - synchronous), (durable, synchronous)):
        with database.transaction(durable=wanted) as connection:
            assert connection.execute("PRAGMA synchronous").fetchone()[0] == number


@pytest.mark.thorough
def test_it_can_be_opened_by_many_at_once(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    code = (
        "import sys, pathlib; from app.store.database import open_database; "
        "open_database(pathlib.Path(sys.argv[1]))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    assert [process.wait() for process in started] == [0] * 4


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = open_database(tmp_path / "p.db")

    def fail() -> None:
        with database.transaction() as connection:
            connection.execute("CREATE TABLE t (a)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert database.one("SELECT 1 FROM sqlite_master WHERE name = 't'") is None


def test_a_check_makes_no_file_and_no_schema(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    check_database(path)
    assert not path.exists()
    connect(path).close()
    check_database(path)
    connection = connect(path)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    connection.close()


def test_a_check_of_a_place_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="isn't there"):
        check_database(tmp_path / "nowhere" / "p.db")


@pytest.mark.parametrize("look", [open_database, check_database])
def test_a_newer_release_s_file_is_refused(tmp_path: Path, look: Callable[[Path], object]) -> None:
    path = tmp_path / "p.db"
    open_database(path)
    connection = connect(path)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
        "VALUES ('portiere', 'from_the_future', '2030-01-01')"
    )
    connection.close()
    with pytest.raises(StoreError, match=r"newer release.*from_the_future"):
        look(path)


def test_a_corrupt_file_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    open_database(path).close()
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\x55" * 4096
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"corrupt|malformed"):
        open_database(path)
    assert path.read_bytes() == content


def test_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    path.write_text("this is a letter, not a database" * 200)
    with pytest.raises(StoreError, match="can't be opened"):
        open_database(path)

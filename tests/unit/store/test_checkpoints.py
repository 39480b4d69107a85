"""Who may begin the write-ahead log anew, and when."""

from pathlib import Path

import pytest

from app.store import checkpoints
from app.store.checkpoints import checkpoint
from app.store.database import Database, log_of, open_database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    found = open_database(tmp_path / "desk.db")
    found.all("CREATE TABLE written (text TEXT)")
    return found


def write(database: Database, rows: int) -> int:
    """Write so many; the log's size after it (bytes)."""
    for _ in range(rows):
        with database.transaction() as connection:
            connection.execute("INSERT INTO written VALUES ('x')")
    return log_of(database.path).stat().st_size


def test_the_log_of_a_database_alone_is_begun_anew(database: Database) -> None:
    size = write(database, 50)
    checkpoint(database, replicated=False)
    assert write(database, 10) == size


def test_nothing_is_written_over_what_litestream_may_not_have_read(database: Database) -> None:
    size = write(database, 50)
    checkpoint(database, replicated=True)
    assert write(database, 10) > size


def test_a_log_that_grows_without_end_is_truncated(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = write(database, 50)
    monkeypatch.setattr(checkpoints, "LARGEST", size - 1)
    checkpoint(database, replicated=True)
    assert write(database, 1) < size / 10


def test_a_log_that_is_not_there_is_nothing_to_do(tmp_path: Path) -> None:
    checkpoint(Database(tmp_path / "none.db"), replicated=True)

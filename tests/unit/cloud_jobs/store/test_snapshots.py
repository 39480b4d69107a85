"""A snapshot of the store is of one moment, whole, and never half of one."""

import os
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from cloud_jobs.store.database import Store, StoreError
from cloud_jobs.store.snapshots import make_snapshot
from tests.support.cloud_layer import SqliteFiles
from tests.support.postgres import cluster
from tests.support.processes import eventually
from tests.support.small_disk import small_disk

INSERT = text("INSERT INTO marks (n) VALUES (:n)")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return SqliteFiles(tmp_path).fresh()


def furnished(url: str) -> Store:
    store = Store(url)
    with store.writing() as session:
        session.execute(text("CREATE TABLE marks (n INTEGER PRIMARY KEY, filler TEXT)"))
        session.execute(text("INSERT INTO marks VALUES (-1, :filler)"), {"filler": "x" * 1_000_000})
    return store


@pytest.fixture
def writing(url: str) -> Iterator[list[int]]:
    """What a writer commits, one after the other, for as long as the test lasts."""
    store, stopping, committed = furnished(url), threading.Event(), list[int]()

    def write() -> None:
        while not stopping.is_set():
            with store.writing() as session:
                session.execute(INSERT, {"n": len(committed)})
            committed.append(len(committed))

    thread = threading.Thread(target=write)
    thread.start()
    eventually(lambda: len(committed) > 5, "it writes")
    yield committed
    stopping.set()
    thread.join()
    store.close()


def marks(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [n for (n,) in connection.execute("SELECT n FROM marks WHERE n >= 0 ORDER BY n")]


def test_it_has_all_that_was_committed_before(url: str, writing: list[int], tmp_path: Path) -> None:
    to = tmp_path / "left/cloud"
    for _ in range(5):
        before = len(writing)
        make_snapshot(url, to)
        found = marks(to)
        assert found == list(range(len(found)))
        assert len(found) >= before
    assert [path.name for path in to.parent.iterdir()] == ["cloud"]
    assert to.stat().st_mode & 0o777 == 0o600
    seen = len(writing)
    eventually(lambda: len(writing) > seen, "the writer goes on")


def test_what_was_there_stays_until_the_new_one_is_whole(url: str, tmp_path: Path) -> None:
    furnished(url).close()
    with small_disk(tmp_path / "small", 1_600_000) as small:
        make_snapshot(url, small / "cloud")
        before = (small / "cloud").read_bytes()
        with pytest.raises(StoreError, match="last snapshot is kept"):
            make_snapshot(url, small / "cloud")
        assert (small / "cloud").read_bytes() == before
        assert [path.name for path in small.iterdir()] == ["cloud"]


def test_a_corrupt_store_gives_no_snapshot(url: str, tmp_path: Path) -> None:
    furnished(url).close()
    path = Path(make_url(url).database or "")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    with path.open("r+b") as file:
        for at in range(8192, size, 4096):
            file.seek(at)
            file.write(os.urandom(4096))
    with pytest.raises(StoreError):
        make_snapshot(url, tmp_path / "cloud")
    assert not list(tmp_path.glob("cloud*.new"))
    assert not (tmp_path / "cloud").exists()


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="PORTIERE_STORE_URL"):
        make_snapshot(f"sqlite:///{tmp_path}/nothing.db", tmp_path / "cloud")
    assert not list(tmp_path.iterdir())


def test_of_postgres_it_is_what_its_own_program_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster() as server:
        furnished(server.fresh()).close()
        url = make_url(server.url("test_0")).set(password="invented-password")
        given = url.render_as_string(hide_password=False)
        to = tmp_path / "cloud"
        make_snapshot(given, to)
        assert to.read_bytes().startswith(b"PGDMP")
        listed = subprocess.run(
            ["pg_restore", "--list", to], check=True, capture_output=True, text=True
        )
        assert "TABLE DATA public marks" in listed.stdout
        gone = url.set(port=9).render_as_string(hide_password=False)
        with pytest.raises(StoreError, match="pg_dump") as refused:
            make_snapshot(gone, to)
        assert "invented-password" not in str(refused.value)
        assert to.read_bytes().startswith(b"PGDMP")
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(StoreError, match="postgresql-client"):
            make_snapshot(given, to)

"""A database of what was replicated, put where the old one was; and all that may go wrong."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from app.ha import restoring
from app.ha.restoring import RestoreError, put_in_place, restore, set_aside, usable
from app.store.database import open_database
from app.store.users import using
from tests.integration.ha.conftest import SOON, Pair
from tests.support.processes import eventually
from tests.support.writing import committed, write_some, written


@pytest.fixture
def replicated(pair: Pair) -> Pair:
    """Some rows, all at the place; nothing runs any more."""
    write_some(pair.writer, 40)
    pair.replicating.start(1)
    eventually(pair.replicating.position, "it replicates")
    pair.writer.kill()
    assert pair.replicating.sync(SOON).is_whole
    pair.replicating.stop(SOON)
    return pair


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who doesn't let go is waited for less long."""
    monkeypatch.setattr(restoring, "_UNUSED", timedelta(seconds=0.1))


def pieces(pair: Pair) -> list[Path]:
    return sorted(path for path in pair.place.rglob("*.ltx"))


def test_what_is_restored_becomes_the_database(replicated: Pair) -> None:
    new, database = replicated.standby.ha_directory / "new.db", replicated.standby.database
    restore(replicated.standby, 1, new)
    assert new.stat().st_mode & 0o777 == 0o600
    rows = written(new)
    assert rows[: len(committed(replicated.writer))] == sorted(committed(replicated.writer))
    # What an older database left beside itself would be played into the new one, or mislead.
    for name in ("portiere.db", "portiere.db-wal", "portiere.db-shm"):
        database.with_name(name).write_bytes(b"old")
    hidden = database.with_name(".portiere.db-litestream")
    (hidden / "ltx").mkdir(parents=True)

    put_in_place(new, database)

    assert not new.exists()
    assert not hidden.exists()
    assert not database.with_name("portiere.db-wal").exists()
    open_database(database).close_all()
    assert written(database) == rows


def test_a_second_try_doesnt_stumble_over_the_first(replicated: Pair) -> None:
    new = replicated.standby.ha_directory / "new.db"
    new.parent.mkdir()
    for name in ("new.db", "new.db.new", "new.db.new-wal", "new.db.new.tmp"):
        new.with_name(name).write_bytes(b"torn")
    restore(replicated.standby, 1, new)
    assert usable(new)
    assert [path.name for path in new.parent.glob("new.db.*")] == []


def test_what_is_set_aside_is_whole_with_what_is_only_in_the_wal(replicated: Pair) -> None:
    leader = replicated.leader
    had = written(leader.database)
    assert leader.database.with_name("portiere.db-wal").stat().st_size > 0

    first = set_aside(leader.database, leader.ha_directory, 1)

    assert first is not None
    assert {path.name for path in leader.database.parent.glob("*portiere.db*")} <= {
        "portiere.db.users",
        "portiere.db.lock",
    }
    assert first.parent.with_name(first.parent.name).name.startswith("term-1-")
    assert (first.parent / ".portiere.db-litestream").is_dir()
    assert written(first) == had
    assert set_aside(leader.database, leader.ha_directory, 1) is None


def test_a_database_in_use_stays_where_it_is(replicated: Pair) -> None:
    leader = replicated.leader
    new = leader.ha_directory / "new.db"
    restore(replicated.standby, 1, new)
    had = written(leader.database)
    with using(leader.database):
        with pytest.raises(RestoreError, match="stop the gateway"):
            put_in_place(new, leader.database)
        with pytest.raises(RestoreError, match="stop the gateway"):
            set_aside(leader.database, leader.ha_directory, 1)
    assert written(leader.database) == had
    put_in_place(new, leader.database)


def test_what_was_written_to_a_new_file_is_not_thrown_away(replicated: Pair) -> None:
    new = replicated.standby.ha_directory / "new.db"
    restore(replicated.standby, 1, new)
    new.with_name("new.db-wal").write_bytes(b"frames")
    with pytest.raises(RestoreError, match="close"):
        put_in_place(new, replicated.standby.database)
    assert new.exists()


def test_pieces_that_are_damaged_become_no_database(replicated: Pair) -> None:
    standby = replicated.standby
    new = standby.ha_directory / "new.db"
    standby.database.write_bytes(b"as it was")
    # Of every level: whichever it would take.
    for piece in pieces(replicated):
        damaged = bytearray(piece.read_bytes())
        for at in range(len(damaged) // 3, len(damaged) // 3 + 100):
            damaged[at % len(damaged)] ^= 0xFF
        piece.write_bytes(damaged)

    with pytest.raises(RestoreError, match="term 1 can't be restored") as raised:
        restore(standby, 1, new)

    assert "copy" in str(raised.value)
    assert list(new.parent.iterdir()) == []
    assert standby.database.read_bytes() == b"as it was"


def test_a_database_that_was_damaged_when_it_was_copied_is_refused(pair: Pair) -> None:
    write_some(pair.writer, 40)
    pair.writer.kill()
    file = pair.leader.database
    database = open_database(file)
    database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (page,) = database.all("SELECT rootpage FROM sqlite_master WHERE name = 'written'")
    database.close_all()
    with file.open("r+b") as raw:
        raw.seek((page["rootpage"] - 1) * 4096 + 8)
        raw.write(b"\xff" * 64)
    pair.replicating.start(1)
    eventually(pair.replicating.position, "it replicates")
    assert pair.replicating.sync(SOON).is_whole

    with pytest.raises(RestoreError, match="integrity"):
        restore(pair.standby, 1, pair.standby.ha_directory / "new.db")


def test_pieces_that_are_missing_become_no_database(replicated: Pair) -> None:
    first, *_ = (piece for piece in pieces(replicated) if "-" in piece.name)
    for piece in replicated.place.rglob(first.name):
        piece.unlink()
    for piece in replicated.place.rglob("ltx/9/*"):
        piece.unlink()
    with pytest.raises(RestoreError):
        restore(replicated.standby, 1, replicated.standby.ha_directory / "new.db")


def test_a_term_of_which_there_is_nothing_says_so(replicated: Pair) -> None:
    with pytest.raises(RestoreError, match="is PORTIERE_HA_REPLICA right"):
        restore(replicated.standby, 7, replicated.standby.ha_directory / "new.db")


def test_a_server_that_is_off_says_so(replicated: Pair) -> None:
    assert replicated.sftp is not None
    replicated.sftp.process.kill()
    with pytest.raises(RestoreError, match="Start the SFTP server"):
        restore(replicated.leader, 1, replicated.leader.ha_directory / "new.db")


def test_a_disk_that_takes_no_more_leaves_nothing_half(replicated: Pair) -> None:
    new = replicated.standby.ha_directory / "new.db"
    with at_most(40_000), pytest.raises(RestoreError, match=r"can't be restored: .+\. Make room"):
        restore(replicated.standby, 1, new)
    assert list(new.parent.iterdir()) == []
    restore(replicated.standby, 1, new)


def test_what_is_no_database_is_not_usable(tmp_path: Path) -> None:
    assert not usable(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("no database" * 1000)
    assert not usable(tmp_path / "text.db")


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """No file may grow beyond ``size`` bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

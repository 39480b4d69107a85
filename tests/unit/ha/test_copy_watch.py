"""A standby's copy that is damaged is seen, and one that is being written to isn't taken for it."""

import threading
from pathlib import Path

import pytest

from app.ha.copies import Copies
from app.ha.copy_watch import CopyWatch, is_copy_damaged
from app.store.database import open_database
from tests.support.flips import PAGE, flip
from tests.support.furnished import furnish, settings_of
from tests.support.processes import eventually


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    found = settings_of(tmp_path / "vps")
    furnish(found)
    return found.database


def test_a_sound_copy_is_left(copy: Path) -> None:
    assert not is_copy_damaged(copy)
    assert [path.name for path in copy.parent.glob("*.look*")] == []


def test_one_that_is_written_to_is_sound(copy: Path) -> None:
    stopping = threading.Event()

    def write() -> None:
        database = open_database(copy)
        while not stopping.is_set():
            with database.transaction(durable=False) as connection:
                connection.execute("UPDATE bookings SET party = party + 1")
            database.all("PRAGMA wal_checkpoint(PASSIVE)")
        database.close_all()

    writing = threading.Thread(target=write)
    writing.start()
    try:
        assert not any(is_copy_damaged(copy) for _ in range(20))
    finally:
        stopping.set()
        writing.join()


@pytest.mark.parametrize("place", [0, PAGE])
def test_a_damaged_one_is_seen_once_somebody_stumbled(copy: Path, place: int) -> None:
    watch = CopyWatch()
    assert not watch.is_damaged(copy)
    flip(copy, place, 0xFF)
    watch.look_now()
    eventually(lambda: watch.is_damaged(copy), "it is seen")


def test_one_that_is_gone_is_not_damaged(copy: Path) -> None:
    watch = CopyWatch()
    watch.look_now()
    assert not watch.is_damaged(copy.with_name("gone.db"))
    eventually(lambda: watch._look is None or watch._look.done(), "it is looked for")
    assert not watch.is_damaged(copy.with_name("gone.db"))


def test_a_copy_that_is_worth_nothing_is_forgotten(tmp_path: Path) -> None:
    copies = Copies(tmp_path / "copies")
    one = copies.anew(3)
    one.touch()
    one.with_name(f"{one.name}-txid").write_text("a")
    assert copies.newest(3) == one
    copies.forget(one)
    assert copies.newest(3) is None

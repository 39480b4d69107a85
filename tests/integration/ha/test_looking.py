"""A look at a database that is led with, beside the real Litestream: what it finds."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from app.backup.soundness import TableDigest, table_digests
from app.ha.looking import NotLookedError, Seen, look
from app.ha.replicating import Replicating, SyncError
from app.messages import leading
from app.store.database import open_database
from tests.support.flips import PAGE, flip, flip_somewhere, flip_text
from tests.support.furnished import furnish, settings_of
from tests.support.processes import eventually
from tests.support.trials import TRIALS

SOON = timedelta(seconds=3)
SEED = 20261127


class Desk:
    """A database that is led with: written to, and replicated."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.settings = settings_of(directory / "mac", ha_replica=f"file://{directory / 'place'}")
        furnish(self.settings)
        self.replicating = Replicating(self.settings, self.settings.ha_directory)
        self.lead()

    def lead(self) -> None:
        """Begin term 1, or go on with it."""
        self.database = open_database(self.settings.database)
        with self.database.transaction() as connection:
            leading.begin_term(connection, 1, "mac", "first")
        self.replicating.start(1)
        eventually(self.is_replicated, "the place has all")

    def is_replicated(self) -> bool:
        """Whether the place has what was written."""
        try:
            return self.replicating.sync(SOON).is_whole
        except SyncError:
            return False

    def rest(self) -> None:
        """Nobody has it open; its log is in the file."""
        self.replicating.stop(SOON)
        self.database.close_all()

    def write(self) -> None:
        """One write more."""
        with self.database.transaction() as connection:
            leading.beat(connection)
            connection.execute("UPDATE bookings SET updated_at = updated_at + 1 WHERE id = 1")

    def look(self) -> Seen:
        """Look, once."""
        return look(self.settings, 1, self.replicating)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk(tmp_path)
    yield found
    found.rest()


def test_nothing_is_found_while_it_is_written(desk: Desk) -> None:
    for _ in range(5):
        for _ in range(50):
            desk.write()
        seen = desk.look()
        assert (seen.damage, seen.pages) == (None, ())


def test_an_arrival_that_a_disk_changed_is_found_though_sqlite_sees_nothing(desk: Desk) -> None:
    desk.database.all("PRAGMA wal_checkpoint(PASSIVE)")
    assert flip_text(desk.settings.database, "2026-12-24", "2026-12-25")
    served = {row["arrival"] for row in desk.database.all("SELECT arrival FROM bookings")}
    assert served == {"2026-12-25"}
    seen = desk.look()
    assert seen.damage is not None
    assert "not what was written" in seen.damage
    assert seen.pages
    assert seen.replicated is not None
    assert seen.replicated.exists()


def test_without_the_place_it_is_told_that_nothing_was_compared(desk: Desk) -> None:
    desk.replicating.stop(SOON)
    with pytest.raises(NotLookedError, match="not compared"):
        desk.look()


@pytest.mark.thorough
def test_each_of_many_flipped_bytes_is_found_or_harmless(tmp_path: Path) -> None:
    """At random places of a database that is led with; none that is served is taken for right."""
    found: Counter[str] = Counter()
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    desk: Desk | None = None
    before: Mapping[str, TableDigest] = {}
    try:
        for trial in range(TRIALS):
            if desk is None:
                desk = Desk(tmp_path / f"from-{trial}")
                before = digests(desk)
            place, mask = flip_somewhere(desk.settings.database, chance)
            damage = desk.look().damage
            if damage is None:
                assert digests(desk) == before, f"trial {trial} is served wrong"
            what = "harmless" if damage is None else by_what(damage)
            found[what] += 1
            where = f"page {place // PAGE + 1}, byte {place % PAGE} ^ {mask:#04x}"
            print(f"trial {trial}: {where}: {what}")
            flip(desk.settings.database, place, mask)
            if not is_sound(desk):
                desk.rest()
                desk = None
    finally:
        if desk is not None:
            desk.rest()
    print(dict(found))
    assert found["harmless"] < TRIALS // 2


def is_sound(desk: Desk) -> bool:
    """Whether all is right, once the byte is flipped back.

    Not where its page was written meanwhile: then it was mended, and is damaged now. Nor where
    Litestream read it meanwhile, and replicated it so.
    """
    try:
        return desk.look().damage is None
    except NotLookedError as error:
        if "integrity check failed" not in str(error):
            raise
        return False


def digests(desk: Desk) -> Mapping[str, TableDigest]:
    """What each table holds that a reader is served, but for Litestream's own."""
    found = table_digests(desk.settings.database)
    return {name: one for name, one in found.items() if not name.startswith("_litestream")}


def by_what(damage: str) -> str:
    """By what it was found."""
    signs = {"not what was written": "comparison", "can't be read": "unreadable"}
    return next((what for sign, what in signs.items() if sign in damage), "SQLite or the seals")

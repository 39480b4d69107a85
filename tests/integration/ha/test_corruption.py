"""The leader's database is damaged: while it is led with, while nobody has it open, and where no
copy is good. A whole node, with what is real beside it: `tests.support.one_node`.
"""

import random
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.backup import restic
from app.backup.kinds import Kind
from app.backup.soundness import TableDigest, table_digests
from app.backup.staging import stage
from app.ha.asides import DAMAGED
from app.ha.corruption import tend
from app.ha.recovered import MOST
from app.ha.recovered import read as read_recovered
from app.ha.spooled import Entry
from app.ha.spooled import Kind as SpooledKind
from app.leading import Role
from app.store import damage
from app.store.database import open_database
from tests.support.events import encode, inbound
from tests.support.flips import PAGE, flip, flip_somewhere, flip_text
from tests.support.one_node import OneNode, one_node
from tests.support.trials import TRIALS

RIGHT, WRONG = "2026-12-24", "2026-12-25"
SOON = timedelta(seconds=3)
SEED = 20261127
# They count, come and go while a node leads; or tell of the damage.
OWN = ("leadership", "terms", "peers", "alerts", "alert_deliveries", "_litestream", "sqlite_")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[OneNode]:
    with one_node(tmp_path) as found:
        found.lead()
        yield found


def arrivals(node: OneNode) -> set[str]:
    """What readers are served."""
    return {row["arrival"] for row in node.rows("SELECT arrival FROM bookings")}


def kept(node: OneNode) -> list[Path]:
    """The damaged files that were set aside."""
    return [path.parent for path in node.machine.directory.glob(f"aside/term-*/{DAMAGED}")]


def test_an_arrival_that_changed_is_found_and_mended_and_told(node: OneNode) -> None:
    term = node.term
    assert flip_text(node.settings.database, RIGHT, WRONG)
    assert arrivals(node) == {WRONG}
    node.look()
    assert node.term > term
    assert arrivals(node) == {RIGHT}
    assert len(node.rows("SELECT 1 FROM guests")) == 40
    (recovered,) = read_recovered(node.machine.directory).recoveries
    assert recovered.is_whole
    (aside,) = kept(node)
    assert WRONG.encode() in (aside / node.settings.database.name).read_bytes()
    (alert,) = node.rows("SELECT * FROM alerts WHERE kind = 'database_damaged'")
    assert not alert["urgent"]


def test_a_process_that_met_damage_has_it_looked_at_at_once(node: OneNode) -> None:
    node.machine.watch.sound_at = None
    damage.note(node.settings.database, "database disk image is malformed")
    node.turn_until(node.is_looked_at, "it is looked at")
    # Nothing was wrong, and nothing is said any more.
    assert damage.noted(node.settings.database) is None
    assert node.machine.settings.database.exists()
    assert kept(node) == []


@pytest.mark.parametrize("place", ["arrival", "header", "root"])
def test_what_changed_while_nobody_led_is_found_and_mended(node: OneNode, place: str) -> None:
    node.stop()
    empty_log(node)
    match place:
        case "arrival":
            assert flip_text(node.settings.database, RIGHT, WRONG)
        case "header":
            flip(node.settings.database, 3, 0xFF)
        case _:
            flip(node.settings.database, PAGE, 0xFF)
    node.restart()
    node.turn_until(lambda: node.is_looked_at() and kept(node), "it is mended")
    assert arrivals(node) == {RIGHT}
    assert len(node.rows("SELECT 1 FROM guests")) == 40


def test_what_was_written_last_and_is_not_replicated_is_no_damage(node: OneNode) -> None:
    node.machine.replicating.stop(SOON)
    database = open_database(node.settings.database)
    now = int(datetime.now(UTC).timestamp() * 1000)
    with database.transaction() as connection:
        connection.execute(
            "UPDATE bookings SET arrival = ?, updated_at = ? WHERE id = 1", (WRONG, now)
        )
        connection.execute("DELETE FROM audit")
    database.close_all()
    node.stop()
    term = node.term
    node.restart()
    node.turn_until(node.is_looked_at, "it leads, and has looked")
    assert node.term == term
    assert arrivals(node) == {RIGHT, WRONG}
    assert kept(node) == []


def test_a_page_that_was_written_anew_with_its_damage_is_not_led_with(node: OneNode) -> None:
    """What was replicated since the look has the damage, too: the copy of the look is taken."""
    # All the bookings, so that whichever page is written has what changed.
    assert flip_text(node.settings.database, RIGHT, WRONG)
    node.machine.watch.due = 0
    tend(node.machine)
    assert node.machine.watch.thread is not None
    node.machine.watch.thread.join()
    database = open_database(node.settings.database)
    with database.transaction() as connection:
        connection.execute("UPDATE bookings SET party = 2")
    database.close_all()
    node.turn_until(lambda: kept(node) and node.is_looked_at(), "it is mended")
    assert arrivals(node) == {RIGHT}
    (recovered,) = read_recovered(node.machine.directory).recoveries
    assert not recovered.is_whole
    (alert,) = node.rows("SELECT urgent FROM alerts WHERE kind = 'database_damaged'")
    assert alert["urgent"]


def test_the_backup_is_what_is_left_where_nothing_replicated_is_good(tmp_path: Path) -> None:
    given = {"backup_repositories": str(tmp_path / "repo"), "backup_key": "an invented password"}
    with one_node(tmp_path, **given) as node:
        node.lead()
        (repository,) = restic.repositories(node.settings)
        restic.initialise(repository)
        staged = tmp_path / "staged"
        staged.mkdir()
        at = stage(node.settings, Kind.SQLITE, staged)
        restic.back_up(repository, Kind.SQLITE, "mac", at, staged)

        lose_the_place(node)
        wreck(node)
        node.turn_until(lambda: kept(node) and node.machine.parts, "it is mended")
        assert arrivals(node) == {RIGHT}
        (recovered,) = read_recovered(node.machine.directory).recoveries
        assert (recovered.source, recovered.is_whole) == ("backup", False)


def test_without_a_good_copy_the_spool_accepts_and_a_person_is_told(node: OneNode) -> None:
    away = lose_the_place(node)
    wreck(node)
    node.turn_until(lambda: node.machine.watch.damage, "there is no good copy")
    assert node.machine.standing.now.role is Role.HANDING_OVER
    event = inbound("Ciao")
    entry = Entry(
        kind=SpooledKind.WEBHOOK,
        source="spoki",
        body=encode(event).decode(),
        names=(("spoki", event["data"]["uuid"]),),
    )
    node.machine.spool.keep(entry, node.term)

    shutil.rmtree(node.settings.ha_replica.removeprefix("file://"), ignore_errors=True)
    away.rename(node.settings.ha_replica.removeprefix("file://"))
    node.machine.watch.again_at = 0
    node.turn_until(lambda: node.machine.parts and kept(node), "it is mended")
    assert arrivals(node) == {RIGHT}
    assert len(node.rows("SELECT 1 FROM inbox WHERE state = 'received'")) == 1
    assert node.machine.spool.count() == 0


def test_a_disk_that_goes_on_is_told_of_and_left_to_a_person(node: OneNode) -> None:
    for _ in range(MOST):
        assert flip_text(node.settings.database, RIGHT, WRONG)
        node.look()
    assert flip_text(node.settings.database, RIGHT, WRONG)
    node.machine.watch.due = 0
    node.turn_until(lambda: node.machine.watch.given_up, "it is given up")
    node.turn_until(
        lambda: node.rows("SELECT 1 FROM alerts WHERE kind = 'disk_fails'"), "the desk is told"
    )
    assert len(kept(node)) == MOST


@pytest.mark.thorough
def test_each_flipped_byte_is_found_or_harmless(node: OneNode) -> None:
    """Of many at random places of a database that is led with, none is served wrong."""
    before = digests(node)
    found: Counter[str] = Counter()
    print(f"seed {SEED}")
    for trial in range(TRIALS):
        (node.machine.directory / "recovered.json").unlink(missing_ok=True)
        kept_before = len(kept(node))
        place, mask = flip_somewhere(node.settings.database, random.Random(SEED + trial))
        node.look()
        what = _what(node) if len(kept(node)) > kept_before else "harmless"
        found[what] += 1
        print(f"trial {trial}: page {place // PAGE + 1}, byte {place % PAGE} ^ {mask:#04x}: {what}")
        assert digests(node) == before, f"trial {trial} is served wrong"
    print(dict(found))
    assert sum(found.values()) == TRIALS
    assert found["harmless"] < TRIALS


def digests(node: OneNode) -> Mapping[str, TableDigest]:
    """What each table holds that is the guests' and the desk's."""
    found = table_digests(node.settings.database)
    return {name: one for name, one in found.items() if not name.startswith(OWN)}


def empty_log(node: OneNode) -> None:
    """Have all that was written in the file itself: a flip that the log hides is harmless."""
    database = open_database(node.settings.database)
    database.all("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close_all()


def wreck(node: OneNode) -> None:
    """Have a process meet a database that is none."""
    empty_log(node)
    for number in range(16):
        flip(node.settings.database, number, 0xFF)
    damage.note(node.settings.database, "file is not a database")


def lose_the_place(node: OneNode) -> Path:
    """What is replicated is gone; where it is now."""
    place = Path(node.settings.ha_replica.removeprefix("file://"))
    node.machine.replicating.stop(SOON)
    return place.rename(place.with_name("away"))


def _what(node: OneNode) -> str:
    """By what the newest was found."""
    newest = max(kept(node))
    text = (newest / DAMAGED).read_text()
    return next(
        (sign for sign in ("not what was written", "sealed", "read") if sign in text), "SQLite"
    )

"""A disk that is really full: of the machine that restores, of the leader, of the copies' place."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from app.ha import view
from app.ha.node import turn
from app.leading import Role
from tests.support.both_machines import BothMachines, Host, both_machines
from tests.support.one_node import one_node
from tests.support.processes import eventually
from tests.support.restored import mark, marks, restore
from tests.support.small_disk import small_disk

DISK = 128 * 2**20


@contextmanager
def full(disk: Path, left: int = 0) -> Iterator[None]:
    """But ``left`` bytes of it are taken by something else meanwhile."""
    ballast = disk / "ballast"
    free = shutil.disk_usage(disk).free - left
    with ballast.open("wb", buffering=0) as file:
        try:
            while free > 0:
                free -= file.write(bytes(min(free, 2**20)))
        except OSError:
            pass  # others write there, too
    try:
        yield
    finally:
        ballast.unlink()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[BothMachines]:
    with both_machines(tmp_path) as found:
        yield found


def is_well(host: Host) -> bool:
    """Whether ``portiere ha status`` finds nothing wrong there."""
    return host.ha("status") == 0


def copied_until(standby: Host) -> datetime:
    """Until when its copy has all, by what its node sees."""
    seen = standby.view()
    if seen is None or seen.lag is None:
        return datetime.min.replace(tzinfo=UTC)
    return seen.at - timedelta(seconds=seen.lag)


def takes_nothing(host: Host) -> bool:
    """Whether its door says that it can't keep a message: who posts it posts it again."""
    try:
        host.post("Is there a car park?", phone="+390000000009")
    except (AssertionError, httpx.HTTPError):
        return True
    return False


def test_restoring_onto_a_full_disk_is_refused_and_works_once_there_is_room(
    pair: BothMachines,
) -> None:
    mac = pair.mac
    with small_disk(mac.directory / "data", DISK) as disk:
        pair.start()
        mark(mac, "a")
        # What it works with goes on; a second database has no room beside the first.
        with full(disk, left=mac.database.stat().st_size // 2):
            said = restore(mac)
            assert said.code == 1, said.out
            assert "Make room" in said.out
            assert marks(mac) == ["a"]
            assert mac.leads()
        said = restore(mac)
        assert said.code == 0, said.out
        assert marks(mac) == ["a"]
        pair.stop()


def test_a_full_place_holds_up_no_guest_and_copies_go_on_once_there_is_room(
    pair: BothMachines,
) -> None:
    with small_disk(pair.directory / "place", DISK) as place:
        pair.start()
        with full(place):
            answered = pair.mac.post("A che ora è la colazione?")
            eventually(lambda: pair.replies()[answered] == 1, "guests are answered")
            eventually(lambda: not is_well(pair.mac), "the status says that something is wrong")
        marked = mark(pair.mac, "b")
        eventually(lambda: copied_until(pair.vps) > marked, "the copy goes on by itself")
        eventually(lambda: is_well(pair.mac), "nothing is wrong any more")
        pair.mac.power_off()
        eventually(pair.vps.leads, "the other takes over")
        assert marks(pair.vps) == ["b"]
        assert pair.replies()[answered] == 1
        pair.stop()


def test_a_leader_with_a_full_disk_takes_nothing_it_can_not_keep_and_loses_nothing(
    pair: BothMachines,
) -> None:
    mac = pair.mac
    with small_disk(mac.directory / "data", DISK) as disk:
        pair.start()
        mark(mac, "a")
        with full(disk):
            eventually(lambda: takes_nothing(mac), "its door takes nothing more")
        later = mac.post("A che ora è la colazione?", phone="+390000000002")
        eventually(lambda: pair.replies()[later] == 1, "it answers once there is room")
        marked = mark(mac, "b")
        eventually(lambda: copied_until(pair.vps) > marked, "the copy goes on by itself")
        mac.power_off()
        eventually(pair.vps.leads, "the other takes over")
        assert marks(pair.vps) == ["a", "b"]
        assert pair.replies()[later] == 1
        pair.stop()


def test_a_node_outlives_a_full_disk(tmp_path: Path) -> None:
    """Nobody starts it again at once, and its lease runs on."""
    with small_disk(tmp_path / "small", DISK) as disk, one_node(disk) as node:
        node.lead()
        term = node.term
        before = view.read(node.machine.directory)
        with full(disk):
            turn(node.machine)
        node.turn_until(lambda: view.read(node.machine.directory) != before, "it tells again")
        assert (node.machine.standing.now.role, node.term) == (Role.LEADER, term)

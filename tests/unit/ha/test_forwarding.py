"""What is kept leaves the spool once the copy has it, whatever the copy is at that moment."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app import steady
from app.ha.caught_up import LONG_AFTER, CatchingUp, LeadersBeat
from app.ha.forwarding import Forwarder, prune
from app.ha.replaying import Accepting, replay
from app.ha.spool import Spool, State
from app.ha.spooled import Entry
from app.leading import Kept, Role, Standing, keep
from app.messages import leading
from app.store.database import Database, open_database
from tests.support.guest import SEAL
from tests.support.processes import eventually
from tests.unit.ha.test_peer import serving, settings_of, status
from tests.unit.ha.test_replaying import event
from tests.unit.ha.test_spool import command


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Database]:
    found = open_database(tmp_path / "copy.db")
    with found.transaction() as connection:
        leading.begin_term(connection, 1, "mac", "first")
        leading.beat(connection)
    yield found
    found.close_all()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    found = Spool(tmp_path / "spool.db", SEAL)
    yield found
    found.database.close_all()


def has(copy: Database, entry: Entry) -> None:
    statement = Accepting(copy, SEAL, timedelta()).statement(entry)
    with copy.transaction() as connection:
        statement(connection)


def test_only_what_the_copy_has_leaves(copy: Database, spool: Spool) -> None:
    entries = [event("uno"), event("due"), command("Benvenuti", "k1"), command("Addio", "k2")]
    for entry in entries:
        spool.keep(entry, 1, mirrored=True)
    waiting = event("tre")
    spool.keep(waiting, 1)
    for entry in (entries[0], entries[2], waiting):
        has(copy, entry)
    assert prune(spool, copy.path, CatchingUp(spool)) == 2
    assert [row.entry for row in spool.all_after()] == [entries[1], entries[3], waiting]


@dataclass
class Standby:
    """One that looks each second, by the steady clock alone."""

    spool: Spool
    copy: Database
    catching_up: CatchingUp
    clock: float = 0

    def looks(self, told: LeadersBeat | None, after: timedelta = timedelta(seconds=1)) -> int:
        """A look, some time after the last one; how many rows are forgotten."""
        self.clock += after.total_seconds()
        self.catching_up.tend(told)
        return prune(self.spool, self.copy.path, self.catching_up)


@pytest.fixture
def standby(copy: Database, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> Standby:
    found = Standby(spool, copy, CatchingUp(spool))
    monkeypatch.setattr(steady, "now", lambda: found.clock)
    return found


def beat(copy: Database, at: timedelta = timedelta()) -> LeadersBeat:
    """The leader's next beat, by a clock that is so far ahead, comes into the copy."""
    with copy.transaction() as connection:
        leading.beat(connection)
        connection.execute(
            "UPDATE leadership SET beat_at = beat_at + ?", (int(at.total_seconds() * 1000),)
        )
        found = leading.last_beat(connection)
    assert found is not None
    return LeadersBeat(1, found.beat)


def test_what_the_leader_never_committed_leaves_after_a_while(standby: Standby) -> None:
    spool, copy = standby.spool, standby.copy
    first = spool.keep(event("uno"), 1, mirrored=True).row_id
    told = beat(copy)
    assert standby.looks(told) == 0
    spool.keep(event("due"), 1, mirrored=True)
    told = told._replace(beat=told.beat + 1)
    assert standby.looks(told, LONG_AFTER) == 0  # its copy lacks that beat
    beat(copy)
    assert standby.looks(told) == 1
    assert [row.row_id for row in spool.all_after()] == [first + 1]
    # The next one is under the next line.
    assert standby.looks(told) == 0
    assert standby.looks(beat(copy), LONG_AFTER) == 1


def test_what_came_again_stays(standby: Standby) -> None:
    spool = standby.spool
    entry = event("uno")
    spool.keep(entry, 1, mirrored=True)
    standby.looks(None)
    row_id = spool.keep(entry, 1).row_id
    spool.taken([row_id], 1)
    with spool.database.transaction() as connection:
        connection.execute("UPDATE spool SET at = at + 1000")
    assert standby.looks(beat(standby.copy), LONG_AFTER) == 0
    assert spool.count(State.KEPT) == 1


def test_no_clock_of_the_leaders_takes_away_what_the_copy_still_lacks(standby: Standby) -> None:
    """It is set three days ahead; the copy is a second behind, and there is no other."""
    standby.spool.keep(event("uno"), 1, mirrored=True)
    for _ in range(3):
        assert standby.looks(beat(standby.copy, timedelta(days=3))) == 0
    replayed = replay(standby.copy, SEAL, standby.spool, datetime.fromtimestamp(0, UTC))
    assert replayed.webhooks == 1


def test_a_leader_that_is_not_heard_of_takes_nothing_away(standby: Standby) -> None:
    standby.spool.keep(event("uno"), 1, mirrored=True)
    for _ in range(3):
        beat(standby.copy)
        assert standby.looks(None, LONG_AFTER) == 0


def test_another_leaders_beat_is_awaited_anew(standby: Standby) -> None:
    """A number that the last leader reached may be another moment's in this term."""
    spool, copy = standby.spool, standby.copy
    standby.looks(None)
    lost = beat(copy)._replace(beat=900)
    standby.looks(lost, LONG_AFTER)
    with copy.transaction() as connection:
        leading.begin_term(connection, 2, "vps", "failover")
        connection.execute("UPDATE leadership SET beat = 1000")
    spool.keep(event("uno"), 2, mirrored=True)
    standby.looks(LeadersBeat(2, 1001))
    assert spool.caught_up() is None
    with copy.transaction() as connection:
        connection.execute("UPDATE leadership SET beat = 1001")
    standby.looks(LeadersBeat(2, 1002))
    mark = spool.caught_up()
    assert mark is not None
    assert (mark.row_id, mark.term) == (0, 2)


def test_what_an_earlier_leader_had_and_this_one_lacks_waits_again(
    copy: Database, spool: Spool
) -> None:
    """The database was restored to a moment before; however long ago that is."""
    entries = [event("uno"), event("due"), event("tre")]
    for entry in entries[:2]:
        spool.keep(entry, 1, mirrored=True)
    has(copy, entries[0])
    with spool.database.transaction() as connection:
        connection.execute("UPDATE spool SET at = 0")
    with copy.transaction() as connection:
        leading.begin_term(connection, 2, "mac", "restored")
        leading.beat(connection)
    spool.keep(entries[2], 2, mirrored=True)
    assert prune(spool, copy.path, CatchingUp(spool)) == 1
    (row,) = spool.waiting()
    assert (row.entry, row.offered, row.term) == (entries[1], True, 1)
    # Once this leader has decided on it, that counts.
    spool.taken([row.row_id], 2)
    assert prune(spool, copy.path, CatchingUp(spool)) == 0
    assert spool.waiting() == []


def test_a_copy_that_is_gone_or_no_database_takes_nothing_away(
    tmp_path: Path, spool: Spool
) -> None:
    spool.keep(event("uno"), 1, mirrored=True)
    assert prune(spool, tmp_path / "gone.db", CatchingUp(spool)) == 0
    rubbish = tmp_path / "rubbish.db"
    rubbish.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    assert prune(spool, rubbish, CatchingUp(spool)) == 0
    empty = tmp_path / "empty.db"
    empty.touch()
    assert prune(spool, empty, CatchingUp(spool)) == 0
    assert spool.count(State.KEPT) == 1


def test_an_edge_that_answers_for_a_leader_that_is_gone_is_offered_nothing(
    spool: Spool, tmp_path: Path
) -> None:
    """By its answer the leader may have had it, and guests would wait for an echo."""
    keep(tmp_path / "standing.json", Standing(Role.STANDBY, 1, leader="vps"))
    leadership = Kept(tmp_path / "standing.json")
    spool.keep(event("uno"), 1)
    with serving(status(530)) as (edge,):
        forwarder = Forwarder(settings_of(edge.url), leadership, spool, lambda: None, lambda: None)
        forwarder.start()
        eventually(lambda: edge.got, "it has asked")
        forwarder.stop()
    (row,) = spool.waiting()
    assert not row.offered

"""The spool: what is in it, whatever came in which order, from whom, and how often."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.commands.asked import read
from app.commands.store import CameBy, Sender
from app.ha.mirroring import portions
from app.ha.spool import CaughtUp, Spool, State
from app.ha.spooled import MANY, MOST_IN_ONE, Entry, Fate, Kind, Told
from app.sealing import Seal
from app.store.database import StoreError, now_ms
from tests.support.guest import SEAL

BODIES = st.text(st.characters(codec="utf-8"), max_size=40)


def webhook(body: str) -> Entry:
    return Entry(kind=Kind.WEBHOOK, source="spoki", body=body, names=(("spoki", "e-1"),))


def command(text: str, key: str = "key-1") -> Entry:
    asked = {"name": "SEND_MESSAGE", "payload": {"phone": "+390000000001", "text": text}}
    body = json.dumps(asked).encode()
    return Entry.of_command(body, read(body), Sender("cloud", key, CameBy.PUSH, "r-1"))


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    found = Spool(tmp_path / "ha" / "spool.db", SEAL)
    yield found
    found.database.close_all()


@dataclass
class Known:
    """A row as it should be."""

    entry: Entry
    state: State
    offered: bool


class Spooling(RuleBasedStateMachine):
    """Doors, the leader and the forwarder, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.spool = Spool(Path(self.directory.name) / "spool.db", SEAL)
        self.rows: dict[int, Known] = {}

    def teardown(self) -> None:
        self.spool.database.close_all()
        self.directory.cleanup()

    def known(self, entry: Entry) -> int | None:
        return next((i for i, one in self.rows.items() if one.entry.key == entry.key), None)

    @rule(body=st.sampled_from("abc"))
    def comes_to_the_door(self, body: str) -> None:
        entry = webhook(body)
        before = self.known(entry)
        took = self.spool.keep(entry, 1)
        assert took.is_new == (before is None)
        assert before in {None, took.row_id}
        offered = before is not None and self.rows[before].offered
        self.rows[took.row_id] = Known(entry, State.WAITING, offered)

    @rule(body=st.sampled_from("abc"))
    def is_mirrored(self, body: str) -> None:
        entry = webhook(body)
        before = self.known(entry)
        row_id = self.spool.keep(entry, 1, mirrored=True).row_id
        state = State.KEPT if before is None else self.rows[before].state
        self.rows[row_id] = Known(entry, state, True)

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def is_offered(self, data: st.DataObject) -> None:
        row_id = data.draw(st.sampled_from(sorted(self.rows)))
        self.spool.offer([row_id])
        self.rows[row_id].offered = True

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def was_not_sent(self, data: st.DataObject) -> None:
        row_id = data.draw(st.sampled_from(sorted(self.rows)))
        self.spool.take_back([row_id])
        if self.rows[row_id].state is State.WAITING:
            self.rows[row_id].offered = False

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def is_taken(self, data: st.DataObject) -> None:
        row_id = data.draw(st.sampled_from(sorted(self.rows)))
        self.spool.taken([row_id], 1)
        self.rows[row_id].state, self.rows[row_id].offered = State.KEPT, True

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def is_lacking_in_the_next_term(self, data: st.DataObject) -> None:
        row_id = data.draw(st.sampled_from(sorted(self.rows)))
        self.spool.wait_again([row_id])
        if self.rows[row_id].state is State.KEPT:
            self.rows[row_id].state = State.WAITING

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def is_in_the_copy(self, data: st.DataObject) -> None:
        row_id = data.draw(st.sampled_from(sorted(self.rows)))
        self.spool.prune([row_id])
        if self.rows[row_id].state is State.KEPT:
            del self.rows[row_id]

    @rule()
    def its_process_is_another(self) -> None:
        self.spool.database.close_all()
        self.spool = Spool(self.spool.database.path, SEAL)

    @invariant()
    def all_is_there_in_order(self) -> None:
        found = [(r.row_id, r.entry, r.state, r.offered) for r in self.spool.all_after()]
        assert found == [(i, r.entry, r.state, r.offered) for i, r in sorted(self.rows.items())]
        waiting = [i for i, row in sorted(self.rows.items()) if row.state is State.WAITING]
        assert [row.row_id for row in self.spool.waiting()] == waiting
        assert self.spool.count() == len(waiting)


Spooling.TestCase.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
TestSpooling = Spooling.TestCase


@given(BODIES, BODIES)
def test_the_key_is_that_of_the_body(first: str, second: str) -> None:
    assert (webhook(first).key == webhook(second).key) == (first == second)


def test_any_body_comes_out_as_it_went_in(spool: Spool) -> None:
    bodies = ['{"text": "perché 🌊 \\ud83c"}', "{}", "\x00", "x" * 3_000_000]
    for body in bodies:
        spool.keep(webhook(body), 1)
    assert [row.entry.body for row in spool.waiting()] == bodies


def test_nothing_of_a_guest_can_be_read_in_the_file(spool: Spool) -> None:
    spool.keep(webhook('{"text": "la mia camera", "from_phone": "+390000000001"}'), 1)
    spool.keep(command("la mia camera"), 1)
    path = spool.database.path
    files = (path, path.with_name(f"{path.name}-wal"))
    raw = b"".join(file.read_bytes() for file in files)
    assert b"key-1" in raw
    assert b"camera" not in raw
    assert b"000000001" not in raw


def test_another_content_under_a_key_is_told_apart_and_changes_nothing(spool: Spool) -> None:
    first = spool.keep(command("Benvenuti"), 1)
    spool.taken([first.row_id], 1)
    other = spool.keep(command("Arrivederci"), 1)
    assert (other.is_new, other.is_same, other.row_id) == (False, False, first.row_id)
    assert spool.count() == 0
    again = spool.keep(command("Benvenuti"), 1)
    assert (again.is_same, again.command_id) == (True, first.command_id)
    assert spool.count() == 1


def test_what_the_leader_told_stays_with_the_row(spool: Spool) -> None:
    row_id = spool.keep(command("Benvenuti"), 1).row_id
    assert spool.told(row_id) is None
    told = Told(fate=Fate.DUPLICATE, command_id="c-1", state="done")
    spool.settle({row_id: told}, 1)
    assert spool.told(row_id) == told


def test_what_came_again_is_not_pruned(spool: Spool) -> None:
    """The door's own promise is newer than what the copy showed."""
    row_id = spool.keep(webhook("a"), 1).row_id
    spool.taken([row_id], 1)
    spool.keep(webhook("a"), 1)
    spool.prune([row_id])
    spool.forget(CaughtUp(row_id, now_ms() + 1000, term=1))
    assert spool.count() == 1


def test_what_can_t_be_opened_holds_up_nobody(spool: Spool) -> None:
    """Its key was thrown away."""
    gone = Spool(spool.database.path, Seal({"k0": b"o" * 32}, b"i" * 32))
    for number in range(5):
        gone.keep(webhook(f"alt {number}"), 1)
    gone.database.close_all()
    readable = spool.keep(webhook("neu"), 1).row_id
    assert [row.row_id for row in spool.waiting(limit=2)] == [readable]
    assert [row.row_id for row in spool.all_after(limit=2)] == [readable]
    assert spool.count() == 6


def test_a_spool_that_is_no_database_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="move both away"):
        Spool(path, SEAL)


def test_many_write_at_once(spool: Spool) -> None:
    def write(number: int) -> None:
        own = Spool(spool.database.path, SEAL)
        for count in range(25):
            own.taken([own.keep(webhook(f"{number} {count}"), 1).row_id], 1)
        own.database.close_all()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert spool.count(State.KEPT) == 100


@given(st.lists(st.integers(1, MOST_IN_ONE + 10), max_size=8), st.integers(0, 2 * MANY + 1))
def test_portions_are_whole_in_order_and_small(sizes: list[int], more: int) -> None:
    entries = [webhook("x" * size) for size in sizes] + [webhook("y")] * more
    parts = list(portions(entries))
    assert [entry for part in parts for entry in part] == entries
    for part in parts:
        assert len(part) <= MANY
        assert len(part) == 1 or sum(len(entry.body) for entry in part) <= MOST_IN_ONE

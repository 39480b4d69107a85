"""What is kept leaves the spool once the copy has it, whatever the copy is at that moment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.ha.forwarding import prune
from app.ha.replaying import Accepting
from app.ha.spool import LONG_BEFORE, Spool, State
from app.ha.spooled import Entry
from app.messages import leading
from app.store.database import Database, now_ms, open_database
from tests.support.guest import SEAL
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
    statement = Accepting(copy, SEAL, LONG_BEFORE).statement(entry)
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
    assert prune(spool, copy.path) == 2
    assert [row.entry for row in spool.all_after()] == [entries[1], entries[3], waiting]


def test_what_the_leader_never_committed_leaves_after_a_while(copy: Database, spool: Spool) -> None:
    for text in ("uno", "due"):
        spool.keep(event(text), 1, mirrored=True)
    long_ago = now_ms() - int(LONG_BEFORE.total_seconds() * 1000) - 1000
    with spool.database.transaction() as connection:
        connection.execute("UPDATE spool SET at = ? WHERE id = 1", (long_ago,))
    assert prune(spool, copy.path) == 1
    assert [row.row_id for row in spool.all_after()] == [2]


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
    assert prune(spool, copy.path) == 1
    (row,) = spool.waiting()
    assert (row.entry, row.offered, row.term) == (entries[1], True, 1)
    # Once this leader has decided on it, that counts.
    spool.taken([row.row_id], 2)
    assert prune(spool, copy.path) == 0
    assert spool.waiting() == []


def test_a_copy_that_is_gone_or_no_database_takes_nothing_away(
    tmp_path: Path, spool: Spool
) -> None:
    spool.keep(event("uno"), 1, mirrored=True)
    assert prune(spool, tmp_path / "gone.db") == 0
    rubbish = tmp_path / "rubbish.db"
    rubbish.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    assert prune(spool, rubbish) == 0
    empty = tmp_path / "empty.db"
    empty.touch()
    assert prune(spool, empty) == 0
    assert spool.count(State.KEPT) == 1

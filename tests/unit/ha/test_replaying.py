"""The spool comes into the database of a new leader: once, in order, whatever it dies of amid."""

import multiprocessing
import random
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from app.ha.replaying import replay
from app.ha.spool import CaughtUp, Spool, State
from app.ha.spooled import Entry, Kind
from app.messages import leading
from app.messages.inbox import Inbox
from app.providers.registry import WEBHOOKS
from app.settings import ProviderName
from app.store.database import Database, now_ms, open_database, to_ms
from app.work.jobs import Job
from tests.support.events import encode, inbound, outbound
from tests.support.guest import SEAL
from tests.support.processes import eventually
from tests.unit.ha.test_spool import command

pytestmark = pytest.mark.thorough

LONG_AGO = datetime.fromtimestamp(0, UTC)
SPOKI = WEBHOOKS[ProviderName.SPOKI]


def event(text: str) -> Entry:
    body = encode(inbound(text))
    return Entry.of_webhook(ProviderName.SPOKI, body, SPOKI.read(body))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = open_database(tmp_path / "portiere.db")
    yield found
    found.close_all()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    found = Spool(tmp_path / "spool.db", SEAL)
    yield found
    found.database.close_all()


def inbox(database: Database) -> list[str]:
    return [row["event_id"] for row in database.all("SELECT event_id FROM inbox ORDER BY id")]


def names(*entries: Entry) -> list[str]:
    return [entry.names[0][1] for entry in entries]


@pytest.mark.thorough
def test_all_is_taken_in_once_and_in_order(database: Database, spool: Spool) -> None:
    events = [event(f"messaggio {number}") for number in range(300)]
    for entry in events:
        spool.keep(entry, 1)
    spool.keep(command("Benvenuti"), 1)
    replayed = replay(database, SEAL, spool, LONG_AGO)
    assert (replayed.webhooks, replayed.commands) == (300, 1)
    assert replayed.jobs == [
        *((Job.ANSWER_MESSAGE, number) for number in range(1, 301)),
        (Job.RUN_COMMAND, 1),
    ]
    assert inbox(database) == names(*events)
    assert not spool.all_after()
    for entry in events:
        spool.keep(entry, 1)
    again = replay(database, SEAL, spool, LONG_AGO)
    assert (again.webhooks, again.commands, again.jobs) == (0, 0, [])
    assert inbox(database) == names(*events)


def test_what_the_last_leader_may_have_acted_on_is_held(database: Database, spool: Spool) -> None:
    mirrored, offered, new = event("uno"), event("due"), event("tre")
    spool.keep(mirrored, 1, mirrored=True)
    spool.offer([spool.keep(offered, 1).row_id])
    spool.keep(new, 1)
    until = datetime.now(UTC) + timedelta(seconds=30)
    replayed = replay(database, SEAL, spool, until)
    assert replayed.webhooks == 3
    assert replayed.jobs == [(Job.ANSWER_MESSAGE, 3)]
    held = database.all("SELECT held_until FROM inbox ORDER BY id")
    assert [row["held_until"] for row in held] == [to_ms(until), to_ms(until), None]


def test_reports_need_no_job(database: Database, spool: Spool) -> None:
    body = encode(outbound("Delivered", None, "u-1"))
    spool.keep(Entry.of_webhook(ProviderName.SPOKI, body, SPOKI.read(body)), 1)
    replayed = replay(database, SEAL, spool, LONG_AGO)
    assert (replayed.webhooks, replayed.jobs) == (1, [])


def test_what_this_release_can_t_read_stays_and_holds_up_nobody(
    database: Database, spool: Spool
) -> None:
    strange = Entry(kind=Kind.WEBHOOK, source="spoki", body='{"version": 9}', names=(("s", "e"),))
    nobody = strange.model_copy(update={"source": "pigeons"})
    for entry in (strange, nobody, event("uno")):
        spool.keep(entry, 1)
    assert replay(database, SEAL, spool, LONG_AGO).webhooks == 1
    assert [row.entry for row in spool.waiting()] == [strange, nobody]


def test_a_guest_who_was_erased_since_does_not_come_back(database: Database, spool: Spool) -> None:
    """The copy has seen what the last leader had of it, and has it no more."""
    spool.keep(event("di un'ospite cancellata"), 1, mirrored=True)
    waiting, later = event("di un'altra"), event("di una terza")
    spool.keep(waiting, 1)
    spool.note(CaughtUp(spool.last_id(), now_ms(), term=1))
    spool.keep(later, 1, mirrored=True)
    with database.transaction() as connection:
        leading.begin_term(connection, 1, "mac", "first")
        leading.begin_term(connection, 2, "vps", "failover")
    replay(database, SEAL, spool, LONG_AGO)
    assert inbox(database) == names(waiting, later)


def test_what_a_restored_database_lacks_is_accepted(database: Database, spool: Spool) -> None:
    """The leader began another term with it, and was lost before this node looked."""
    entry = event("uno")
    spool.keep(entry, 1, mirrored=True)
    spool.note(CaughtUp(spool.last_id(), now_ms(), term=1))
    with database.transaction() as connection:
        leading.begin_term(connection, 1, "mac", "first")
        leading.begin_term(connection, 2, "mac", "restored")
        leading.begin_term(connection, 3, "vps", "failover")
    replay(database, SEAL, spool, LONG_AGO)
    assert inbox(database) == names(entry)


def _replay_in_child(directory: Path) -> None:
    database = open_database(directory / "portiere.db")
    replay(database, SEAL, Spool(directory / "spool.db", SEAL), LONG_AGO)


def _has(database: Database, count: int) -> bool:
    return len(inbox(database)) >= count


@pytest.mark.thorough
def test_killed_at_any_point_it_goes_on_where_it_was(
    tmp_path: Path, database: Database, spool: Spool
) -> None:
    chance = random.Random(20260728)
    events = [event(f"messaggio {number}") for number in range(1500)]
    statements = [spool.keeping(entry, 1) for entry in events]
    with spool.database.transaction() as connection:
        for statement in statements:
            statement(connection)
    killed = 0
    for _ in range(5):
        seen = len(inbox(database))
        child = multiprocessing.get_context("fork").Process(
            target=_replay_in_child, args=(tmp_path,)
        )
        child.start()
        wanted = min(seen + chance.randrange(1, 257), len(events))
        eventually(partial(_has, database, wanted), "some of it is taken in")
        child.kill()
        child.join()
        killed += child.exitcode == -signal.SIGKILL
        # Nothing is in neither, at whatever point it died.
        left = {row.entry.names[0][1] for row in spool.all_after(limit=2000)}
        assert set(names(*events)) <= left | set(inbox(database))
    assert killed
    replay(database, SEAL, spool, LONG_AGO)
    assert inbox(database) == names(*events)
    assert spool.count() == spool.count(State.KEPT) == 0


def test_a_row_that_the_leader_s_door_took_is_no_second_one(
    database: Database, spool: Spool
) -> None:
    entry = event("uno")
    (kept,) = SPOKI.read(entry.body.encode())
    accept = Inbox(database, SEAL, timedelta(0)).accept(kept.event, kept.body)
    with database.transaction() as connection:
        accept(connection)
    spool.keep(entry, 1)
    assert replay(database, SEAL, spool, LONG_AGO).webhooks == 0
    assert Counter(inbox(database)) == Counter(names(entry))

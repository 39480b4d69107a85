"""Order under load: answers reach Spoki as their questions were written; reports only move on."""

import itertools
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from app.store.database import Database
from tests.integration.conftest import IMPATIENT
from tests.support.events import encode, outbound, signed
from tests.support.guest import fault, sends, settled, states, write
from tests.support.processes import (
    PORTIERE,
    WEBHOOK_SECRET,
    Process,
    Stack,
    eventually,
    stack,
)

# Twenty workers as four processes of five threads: threads of one process share its connections
# and its locks, processes only the database.
PROCESSES, THREADS = 4, 5
# How far each state is; a message may only go on to a higher one.
FAR: Final = {"sent": 1, "failed": 2, "delivered": 3, "read": 4}
STATE_OF: Final = {"Sent": "sent", "Error": "failed", "Delivered": "delivered", "Read": "read"}
COMBINATIONS: Final = [
    chosen for size in range(1, 5) for chosen in itertools.combinations(STATE_OF, size)
]
MESSAGES, REPORTS_EACH = 100, 5
SEED = 20261124


@contextmanager
def workers(found: Stack) -> Iterator[list[Process]]:
    """All the worker processes over a stack, once they are ready."""
    with ExitStack() as started:
        processes = [
            Process([PORTIERE, "work"], found.env, found.directory / f"work-{number}.log")
            for number in range(PROCESSES)
        ]
        for process in processes:
            process.start()
            started.callback(process.stop)
        eventually(
            lambda: all(says(process, "worker_ready") for process in processes), "all are ready"
        )
        yield processes


def says(process: Process, event: str) -> bool:
    """Whether the log of a process that runs has an event."""
    return process.alive() and event in process.log.read_text()


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, list[Process]]]:
    """A stack with twenty workers."""
    found_in = tmp_path_factory.mktemp("crowd")
    overrides = IMPATIENT | {"PORTIERE_WORKER_THREADS": str(THREADS)}
    with stack(found_in, **overrides) as found:
        found.start_sandbox()
        found.start_gateway()
        with workers(found) as processes:
            yield found, processes


@pytest.mark.parametrize("guests", [1, 4], ids=["one guest", "several guests at once"])
def test_a_burst_of_100_messages_is_answered_in_its_order_by_20_workers(
    crowd: tuple[Stack, list[Process]], guests: int
) -> None:
    found, processes = crowd
    phones = [f"+39000{guests}{number:06}" for number in range(guests)]
    before, rows_before = len(sends(found)), states(found).total()
    with ThreadPoolExecutor(guests) as pool:
        written = list(pool.map(lambda phone: burst(found, phone, 100 // guests), phones))
    eventually(
        lambda: states(found).total() == rows_before + 100 and settled(found), "all are sent"
    )
    bodies = sends(found)[before:]
    for phone, uuids in zip(phones, written, strict=True):
        keys = [one["metadata"]["correlation_id"] for one in bodies if one["phone"] == phone]
        assert keys == [f"reply-{uuid}" for uuid in uuids]
    assert len(bodies) == 100
    if guests > 1:
        # Who did none of the work proves nothing about order. One guest's messages are handed on
        # one by one, and a process may well get hold of them all.
        busy = [process for process in processes if says(process, "message_sent")]
        assert len(busy) > 1


def burst(found: Stack, phone: str, count: int) -> list[str]:
    """Messages of one guest, one right after the other; their uuids.

    Half-way two answers are not taken, and tried again seconds later: none may overtake them.
    """
    uuids = []
    for number in range(count):
        if number == count // 2:
            fault(found, "refuse", count=2)
        uuids.append(write(found, f"Messaggio {number}: c'è il wifi?", phone))
    return uuids


@pytest.fixture
def sent(tmp_path: Path) -> Iterator[tuple[Stack, list[str]]]:
    """A stack that has sent a hundred messages nobody has reported on yet, and their ids."""
    with stack(tmp_path, **IMPATIENT) as found:
        found.start_sandbox()
        silence = {"outbound_webhooks": "off"}
        httpx.patch(f"{found.sandbox_url}/sandbox/settings", json=silence).raise_for_status()
        found.start_gateway()
        found.start_worker()
        for number in range(MESSAGES):
            write(found, phone=f"+39000{number % 10:07}")
        eventually(lambda: states(found)["sent"] == MESSAGES, "all are sent")
        rows = Database(found.database).all("SELECT provider_id FROM outbox ORDER BY id")
        yield found, [str(row["provider_id"]) for row in rows]


def test_1000_reports_in_any_order_end_in_the_right_state_and_move_none_back(
    sent: tuple[Stack, list[str]],
) -> None:
    found, ids = sent
    database = Database(found.database)
    database.connection.executescript(_NOTE_MOVES)
    told = dict(zip(ids, itertools.cycle(COMBINATIONS), strict=False))
    events = shuffled_reports(told)
    assert len(events) == 1000
    with ThreadPoolExecutor(20) as pool, httpx.Client() as client:
        answers = list(pool.map(lambda event: deliver(found, client, event), events))
    assert [answer.status_code for answer in answers] == [200] * 1000
    assert sum(answer.json()["duplicate"] for answer in answers) == 500
    eventually(lambda: settled(found), "all reports are applied")

    rows = database.all("SELECT provider_id, state FROM outbox")
    assert {row["provider_id"]: row["state"] for row in rows} == {
        message: max((STATE_OF[report] for report in reports), key=FAR.__getitem__)
        for message, reports in told.items()
    }
    moves = database.all("SELECT was, became FROM moves")
    assert moves
    assert [tuple(one) for one in moves if FAR[one["was"]] >= FAR[one["became"]]] == []


def shuffled_reports(told: dict[str, tuple[str, ...]]) -> list[dict[str, Any]]:
    """Events that tell of each message what is to be told, some of it again, each posted twice."""
    dice = random.Random(SEED)
    events = []
    for message, reports in told.items():
        again = dice.choices(reports, k=REPORTS_EACH - len(reports))
        events += [outbound(report, None, message) for report in (*reports, *again)]
    events *= 2
    dice.shuffle(events)
    return events


def deliver(found: Stack, client: httpx.Client, event: dict[str, Any]) -> httpx.Response:
    """Post an event over a connection that is kept."""
    body = encode(event)
    return client.post(
        f"{found.gateway_url}/webhooks/spoki", content=body, headers=signed(body, WEBHOOK_SECRET)
    )


_NOTE_MOVES = """
CREATE TABLE moves (was TEXT NOT NULL, became TEXT NOT NULL);
CREATE TRIGGER note_moves AFTER UPDATE OF state ON outbox WHEN old.state <> new.state
BEGIN INSERT INTO moves VALUES (old.state, new.state); END;
"""

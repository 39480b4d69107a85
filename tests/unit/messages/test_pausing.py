"""Pausing: what is held, what passes, and that resuming takes it up where it was."""

from datetime import timedelta

import pytest

from app.messages import pausing
from app.messages.outbox import Draft
from app.messages.outgoing import Kind, Text
from app.messages.pausing import Queue, is_paused, paused
from tests.support.events import GUEST
from tests.unit.messages.conftest import GRACE, Ledger

KINDS = (Kind.EMERGENCY, Kind.DESK, Kind.REPLY, Kind.PERSON, Kind.NOTICE)


def pause(ledger: Ledger, queue: Queue) -> None:
    with ledger.database.transaction() as connection:
        assert pausing.pause(connection, queue, "cli:Anna", "a rehearsal")


def resume(ledger: Ledger, queue: Queue) -> bool:
    with ledger.database.transaction() as connection:
        return pausing.resume(connection, queue)


def write(ledger: Ledger, kind: Kind) -> int:
    ledger.receive()
    with ledger.database.transaction() as connection:
        row_id = ledger.outbox.add(
            connection, Draft(f"{kind}-{ledger.clock}", GUEST, kind, Text("Ciao"), "it")
        )
    assert row_id is not None
    return row_id


def claimed(ledger: Ledger, rows: dict[Kind, int]) -> set[Kind]:
    return {kind for kind, row_id in rows.items() if ledger.outbox.claim(row_id) is not None}


@pytest.mark.parametrize(
    ("queue", "passes"),
    [
        (Queue.SENDS, {Kind.EMERGENCY, Kind.DESK}),
        (Queue.NOTICES, {Kind.EMERGENCY, Kind.DESK, Kind.REPLY, Kind.PERSON}),
        (Queue.ANSWERS, set(KINDS)),
        (Queue.COMMANDS, set(KINDS)),
        (Queue.EVENTS, set(KINDS)),
    ],
)
def test_what_a_pause_holds(ledger: Ledger, queue: Queue, passes: set[Kind]) -> None:
    rows = {kind: write(ledger, kind) for kind in KINDS}
    pause(ledger, queue)
    went: set[Kind] = set()
    for _ in KINDS:  # those of one lane go one after the other
        for kind in claimed(ledger, rows):
            ledger.outbox.sent(rows[kind], f"id-{kind}")
            went.add(kind)
    assert went == passes
    ledger.later(GRACE)
    assert not set(ledger.sweep().outbox) & set(rows.values())
    for row_id in (rows[kind] for kind in KINDS if kind not in passes):
        row = ledger.database.one("SELECT state, attempts FROM outbox WHERE id = ?", (row_id,))
        assert row is not None
        assert (row["state"], row["attempts"]) == ("pending", 0)


def test_what_waited_is_due_at_once_and_in_order(ledger: Ledger) -> None:
    first, second = ledger.write(), ledger.write(phone="+390000000009")
    with ledger.database.transaction() as connection:
        connection.execute("UPDATE outbox SET kind = 'reply', lane = 'talk'")
    pause(ledger, Queue.SENDS)
    assert ledger.outbox.next_of_guest(ledger.database.one("SELECT guest FROM outbox")[0]) is None  # type: ignore[index]  # a row
    assert resume(ledger, Queue.SENDS)
    assert ledger.sweep().outbox == [first, second]
    assert not resume(ledger, Queue.SENDS)


def test_a_message_of_a_guest_is_due_as_answers_go_on(ledger: Ledger) -> None:
    row_id = ledger.receive()
    pause(ledger, Queue.ANSWERS)
    ledger.later(timedelta(minutes=5))
    assert ledger.sweep().messages == [row_id]  # it may be an emergency: the worker looks
    assert ledger.sweep().messages == []
    resume(ledger, Queue.ANSWERS)
    assert ledger.sweep().messages == [row_id]


def test_who_paused_first_stays_on_the_record(ledger: Ledger) -> None:
    pause(ledger, Queue.EVENTS)
    with ledger.database.transaction() as connection:
        assert not pausing.pause(connection, Queue.EVENTS, "cloud", "another reason")
        assert is_paused(connection, Queue.EVENTS)
        assert not is_paused(connection, Queue.SENDS)
    (one,) = paused(ledger.database)
    assert (one.queue, one.by, one.reason) == (Queue.EVENTS, "cli:Anna", "a rehearsal")


def test_an_open_breaker_leaves_rows_untouched(ledger: Ledger) -> None:
    guard = ledger.outbox._guard
    row_id = ledger.write()
    for number in range(5):
        assert guard.admit(f"other-{number}")
        guard.failed(f"other-{number}", "500")
    assert ledger.outbox.claim(row_id) is None
    row = ledger.database.one("SELECT state, attempts, note FROM outbox WHERE id = ?", (row_id,))
    assert row is not None
    assert tuple(row) == ("pending", 0, None)

"""The inbox: once each, in a guest's order, until done or dead."""

from datetime import timedelta

from app.messages.inbox import MAX_ATTEMPTS, Outcome
from app.providers import spoki_events
from tests.support.events import encode, envelope, inbound
from tests.unit.messages.conftest import GRACE, Ledger

OTHER = "+390000000002"


def done(ledger: Ledger, row_id: int, language: str | None = None) -> bool:
    with ledger.database.transaction() as connection:
        return ledger.inbox.close(connection, row_id, Outcome(language=language))


def test_an_event_is_kept_once(ledger: Ledger) -> None:
    body = encode(inbound("Ciao"))
    event = spoki_events.parse(body)
    assert ledger.accept(event, body) is not None
    assert ledger.accept(event, body) is None


def test_the_body_is_sealed_and_opens(ledger: Ledger) -> None:
    row_id = ledger.receive("un segreto")
    stored = ledger.database.one("SELECT sealed_body FROM inbox")
    assert stored is not None
    assert b"segreto" not in stored["sealed_body"]
    row = ledger.inbox.open_row(row_id)
    assert row is not None
    assert b"un segreto" in row.body


def test_nothing_of_a_guest_lies_open_in_the_file(ledger: Ledger) -> None:
    ledger.receive("un segreto", OTHER)
    ledger.write("una risposta", OTHER)
    ledger.database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = ledger.database.path.read_bytes()
    assert not [
        word for word in (OTHER[1:], "un segreto", "una risposta") if word.encode() in content
    ]


def test_an_unknown_event_is_kept_and_marked(ledger: Ledger) -> None:
    body = encode(envelope("contact.created", {}))
    ledger.accept(spoki_events.parse(body), body)
    row = ledger.database.one("SELECT state, note FROM inbox")
    assert row is not None
    assert row["state"] == "ignored"
    assert row["note"]


def test_a_guests_second_message_waits_for_the_first(ledger: Ledger) -> None:
    first, second, other = ledger.receive(), ledger.receive(), ledger.receive(phone=OTHER)
    assert ledger.inbox.open_row(second) is None
    assert ledger.inbox.open_row(other) is not None
    row = ledger.inbox.open_row(first)
    assert row is not None
    assert row.guest is not None
    assert done(ledger, first)
    assert ledger.inbox.next_of_guest(row.guest, first) == second
    assert ledger.inbox.open_row(second) is not None


def test_done_is_done_once(ledger: Ledger) -> None:
    row_id = ledger.receive()
    assert done(ledger, row_id)
    assert not done(ledger, row_id)
    assert ledger.inbox.open_row(row_id) is None


def test_a_fresh_row_is_left_to_the_queue_then_swept(ledger: Ledger) -> None:
    row_id = ledger.receive()
    assert ledger.sweep().messages == []
    ledger.later(GRACE)
    assert ledger.sweep().messages == [row_id]
    assert ledger.sweep().messages == []


def test_a_waiting_row_is_swept_ever_more_rarely(ledger: Ledger) -> None:
    ledger.receive()
    sweeps = 0
    for _ in range(600):
        ledger.later(timedelta(seconds=1))
        sweeps += len(ledger.sweep().messages)
    assert 10 < sweeps < 20


def test_a_failing_row_is_tried_again_later_and_dies(ledger: Ledger) -> None:
    row_id = ledger.receive()
    for _ in range(MAX_ATTEMPTS - 1):
        assert ledger.inbox.postpone(row_id, "ValueError: why")
    assert not ledger.inbox.postpone(row_id, "ValueError: why")
    row = ledger.database.one("SELECT state, note, attempts FROM inbox")
    assert row is not None
    assert tuple(row) == ("dead", "ValueError: why", MAX_ATTEMPTS)


def test_a_dead_row_does_not_hold_up_its_guest(ledger: Ledger) -> None:
    first, second = ledger.receive(), ledger.receive()
    for _ in range(MAX_ATTEMPTS):
        ledger.inbox.postpone(first, "x")
    assert ledger.inbox.open_row(second) is not None

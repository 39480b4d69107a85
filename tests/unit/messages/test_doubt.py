"""What a new leader leaves alone: all that the last one may have done, and nothing else."""

from datetime import timedelta

import pytest

from app.messages.doubt import Doubted, cast_doubt
from app.messages.inbox import Outcome
from app.providers import spoki_events
from app.store.database import from_ms
from tests.support.events import encode, inbound, outbound
from tests.unit.messages.conftest import GRACE, Ledger, draft

WAIT = timedelta(seconds=20)
OTHER = "+390000000002"


def cast(ledger: Ledger) -> Doubted:
    with ledger.database.transaction() as connection:
        return cast_doubt(connection, ledger.clock, WAIT)


def test_what_is_under_way_or_due_waits_for_its_echo(ledger: Ledger) -> None:
    sending, pending = ledger.write(), ledger.write()
    ledger.outbox.claim(sending)
    found = cast(ledger)
    assert (found.sending, found.pending) == (1, 1)
    rows = ledger.database.all("SELECT state, next_at, note FROM outbox")
    assert {row["state"] for row in rows} == {"unknown"}
    assert {row["next_at"] for row in rows} == {ledger.clock + 20_000}
    assert all(row["note"] for row in rows)
    ledger.report("Sent", ledger.keys[1], "id-2")
    assert (ledger.state(sending), ledger.state(pending)) == ("unknown", "sent")


@pytest.mark.parametrize(("resend", "state"), [(True, "pending"), (False, "failed")])
def test_without_an_echo_the_setting_decides(ledger: Ledger, resend: bool, state: str) -> None:
    ledger.resend = resend
    row_id = ledger.write()
    cast(ledger)
    ledger.later(WAIT - timedelta(milliseconds=1))
    ledger.sweep()
    assert ledger.state(row_id) == "unknown"
    ledger.later(timedelta(milliseconds=1))
    ledger.sweep()
    assert ledger.state(row_id) == state


def test_what_was_to_go_later_cant_have_gone(ledger: Ledger) -> None:
    later = from_ms(ledger.clock + 1)
    with ledger.database.transaction() as connection:
        written = draft("command:1")
        row_id = ledger.outbox.add(
            connection, type(written)(**{**vars(written), "not_before": later})
        )
    assert cast(ledger).pending == 0
    assert row_id is not None
    assert ledger.state(row_id) == "pending"


def test_what_is_settled_stays_so(ledger: Ledger) -> None:
    row_id = ledger.write()
    ledger.outbox.claim(row_id)
    ledger.outbox.sent(row_id, "id-1")
    assert cast(ledger) == Doubted(0, 0, 0, 0)
    assert ledger.state(row_id) == "sent"


def test_a_guests_open_message_is_left_alone_until_then(ledger: Ledger) -> None:
    row_id = ledger.receive()
    assert ledger.inbox.open_row(row_id) is not None
    assert cast(ledger).inbox == 1
    after = ledger.receive()
    ledger.later(GRACE)
    for in_turn in (True, False):
        assert ledger.inbox.open_row(row_id, in_turn=in_turn) is None
    # Their order is kept; nobody else waits.
    assert ledger.inbox.open_row(after) is None
    assert ledger.inbox.open_row(ledger.receive(phone=OTHER)) is not None
    assert row_id not in ledger.sweep().messages
    ledger.later(WAIT - GRACE)
    assert row_id in ledger.sweep().messages
    row = ledger.inbox.open_row(row_id)
    assert row is not None
    with ledger.database.transaction() as connection:
        ledger.inbox.close(connection, row_id, Outcome())
    assert ledger.inbox.open_row(after) is not None


def test_reports_are_what_is_waited_for(ledger: Ledger) -> None:
    body = encode(outbound("Sent", "reply-1", "id"))
    report = ledger.accept(spoki_events.parse(body), body)
    assert cast(ledger).inbox == 0
    assert ledger.inbox.open_reports(10) == [report]


def test_reports_that_are_replayed_are_read_at_once(ledger: Ledger) -> None:
    body = encode(outbound("Sent", "reply-1", "id"))
    held = from_ms(ledger.clock + 20_000)
    statement = ledger.inbox.accept(spoki_events.parse(body), body, held_until=held)
    with ledger.database.transaction() as connection:
        row_id = statement(connection).row_id
    assert row_id is not None
    assert ledger.inbox.open_reports(10) == [row_id]
    assert ledger.inbox.open_row(row_id) is not None


def test_a_photo_that_is_left_alone_is_no_part_of_anothers_album(ledger: Ledger) -> None:
    first = ledger.receive()
    row = ledger.inbox.open_row(first)
    assert row is not None
    body = encode(inbound("Ciao"))
    held = from_ms(ledger.clock + 20_000)
    statement = ledger.inbox.accept(spoki_events.parse(body), body, held_until=held)
    with ledger.database.transaction() as connection:
        statement(connection)
    assert ledger.inbox.open_after(row, 10) == []
    ledger.later(WAIT)
    assert len(ledger.inbox.open_after(row, 10)) == 1


def test_what_is_replayed_can_be_left_alone_too(ledger: Ledger) -> None:
    body = encode(inbound("Ciao"))
    statement = ledger.inbox.accept(
        spoki_events.parse(body), body, held_until=from_ms(ledger.clock + 20_000)
    )
    with ledger.database.transaction() as connection:
        row_id = statement(connection).row_id
    assert row_id is not None
    ledger.later(GRACE)
    assert (ledger.inbox.open_row(row_id), ledger.sweep().messages) == (None, [])
    ledger.later(WAIT)
    assert ledger.sweep().messages == [row_id]
    assert ledger.inbox.open_row(row_id) is not None

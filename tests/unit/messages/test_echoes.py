"""Reports on messages that aren't here yet: kept, and believed in place of sending once more."""

from datetime import timedelta

import pytest

from app.messages import echoes
from app.messages.events import Delivery, StatusReport
from tests.unit.messages.conftest import Ledger, draft

KEY = "reply-wamid.1"


def write(ledger: Ledger, key: str) -> int:
    """Put a message of that key into the outbox."""
    with ledger.database.transaction() as connection:
        row_id = ledger.outbox.add(connection, draft(key))
    assert row_id is not None
    return row_id


def kept(ledger: Ledger) -> list[tuple[str, str, str]]:
    rows = ledger.database.all("SELECT idempotency_key, provider_id, delivery FROM echoes")
    return [(row[0], row[1], row[2]) for row in rows]


@pytest.mark.parametrize(
    ("status", "state"),
    [("Sent", "sent"), ("Delivered", "delivered"), ("Read", "read"), ("Error", "failed")],
)
def test_what_another_leader_sent_is_settled_and_not_sent(
    ledger: Ledger, status: str, state: str
) -> None:
    assert ledger.report(status, KEY, "id-1") is None
    row_id = write(ledger, KEY)
    assert ledger.outbox.claim(row_id) is None
    (row,) = ledger.database.all("SELECT state, provider_id, attempts FROM outbox")
    assert tuple(row) == (state, "id1", 0)
    assert kept(ledger) == []
    # Reports go on as ever.
    ledger.report("Read", KEY, "id-1")
    assert ledger.state(row_id) == "read"


def test_the_guests_next_message_goes_on(ledger: Ledger) -> None:
    ledger.report("Sent", KEY, "id-1")
    first, second = write(ledger, KEY), ledger.write()
    assert ledger.outbox.claim(second) is None
    assert ledger.outbox.claim(first) is None
    assert ledger.outbox.next_after(first) == second
    assert ledger.outbox.claim(second) is not None


def test_what_is_open_leads_to_nothing_else(ledger: Ledger) -> None:
    """Or delivering would go round in a circle."""
    first, _second = ledger.write(), ledger.write()
    assert ledger.outbox.next_after(first) is None
    ledger.outbox.claim(first)
    assert ledger.outbox.next_after(first) is None


def test_who_is_told_of_messages_is_told_of_it(ledger: Ledger) -> None:
    told: list[int] = []
    ledger.outbox._on_moved = lambda _connection, row_id: told.append(row_id)
    ledger.report("Delivered", KEY, "id-1")
    row_id = write(ledger, KEY)
    ledger.outbox.claim(row_id)
    assert told == [row_id]


@pytest.mark.parametrize(
    ("reports", "last"),
    [
        (("Sent", "Delivered", "Read"), "read"),
        (("Read", "Delivered", "Sent"), "read"),
        (("Error", "Sent"), "failed"),
        (("Sent", "Error"), "failed"),
        (("Error", "Delivered"), "delivered"),
        (("Delivered", "Error"), "delivered"),
    ],
)
def test_they_go_forward_only_as_rows_do(
    ledger: Ledger, reports: tuple[str, ...], last: str
) -> None:
    known = ledger.write()
    for status in reports:
        ledger.report(status, KEY, "id-1")
        ledger.report(status, ledger.keys[0], "id-2")
    assert kept(ledger) == [(KEY, "id1", last)]
    assert ledger.state(known) == last


@pytest.mark.parametrize("key", [None, "", "abc", "reply-", "Campaign:7", "x" * 600])
def test_what_isnt_ours_isnt_kept(ledger: Ledger, key: str | None) -> None:
    ledger.report("Sent", key, "id-1")
    assert kept(ledger) == []


def test_what_a_person_writes_in_the_providers_inbox_isnt_kept(ledger: Ledger) -> None:
    report = StatusReport("id", None, Delivery.SENT, phone="+390000000001", by_person=True)
    assert not echoes.keep(ledger.database.connection, report)
    assert kept(ledger) == []


def test_after_a_week_they_are_forgotten(ledger: Ledger) -> None:
    ledger.report("Sent", KEY, "id-1")
    ledger.later(timedelta(days=7))
    assert echoes.purge(ledger.database.connection) == 0
    ledger.later(timedelta(seconds=1))
    assert echoes.purge(ledger.database.connection) == 1

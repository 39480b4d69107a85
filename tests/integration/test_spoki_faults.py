"""Spoki slow, busy, broken, or silent after accepting: a guest gets each answer once, in order."""

from typing import Any

import pytest

from app.store.database import Database
from tests.support.events import GUEST, inbound
from tests.support.guest import all_settled, fault, post, sends, sent_keys, states, write
from tests.support.processes import Stack, eventually


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("drop_answer", {"count": 1}),
        ("slow", {"seconds": 2, "count": 1}),
        ("rate_limited", {"retry_after": 1, "count": 2}),
        ("server_error", {"status": 500, "count": 1}),
        ("refuse", {"count": 2}),
        ("no_id", {"count": 1}),
        ("duplicates", {"copies": 5}),
    ],
)
def test_each_fault_is_survived(running: Stack, name: str, settings: dict[str, Any]) -> None:
    fault(running, name, **settings)
    for text in ("Buongiorno!", "A che ora è la colazione?", "Grazie"):
        write(running, text)
    all_settled(running, 3)
    assert list(sent_keys(running).values()) == [1, 1, 1]


def test_twenty_dropped_answers_double_nothing(running: Stack) -> None:
    fault(running, "drop_answer", count=20)
    for number in range(40):
        write(running, "Ciao", f"+39000{number:07d}")
    all_settled(running, 40)
    assert sorted(sent_keys(running).values()) == [1] * 40


def test_a_guest_is_answered_in_order(running: Stack) -> None:
    fault(running, "rate_limited", retry_after=1, count=1)
    uuids = []
    for number in range(12):
        event = inbound(f"Ciao {number}")
        uuids.append(event["data"]["uuid"])
        assert post(running, event).status_code == 200
    all_settled(running, 12)
    keys = [send["metadata"]["correlation_id"] for send in sends(running)]
    assert keys == [f"reply-{uuid}" for uuid in uuids]


def test_what_spoki_refuses_is_failed_with_the_reason_and_holds_nobody_up(running: Stack) -> None:
    fault(running, "undeliverable", count=1)
    write(running, "Buongiorno!")
    write(running, "Grazie")
    eventually(lambda: states(running) == {"failed": 1, "read": 1}, "one failed, one read")
    row = Database(running.database).one("SELECT note FROM outbox WHERE state = 'failed'")
    assert row is not None
    assert "131026" in row["note"]


def test_nothing_of_a_guest_is_in_the_logs(running: Stack) -> None:
    fault(running, "server_error", status=500, count=1)
    write(running, "il mio segreto è rosso")
    all_settled(running, 1)
    for log in (running.gateway.log, running.worker.log):
        text = log.read_text()
        assert GUEST.lstrip("+") not in text
        assert "segreto" not in text

"""The send ledger: claimed once, in order, forward only, settled by the echo."""

from datetime import timedelta

import pytest

from app.messages.outgoing import Text
from tests.unit.messages.conftest import CLAIM_TIME, ECHO_WAIT, GRACE, Ledger, draft

OTHER = "+390000000002"
UUID = "c1b2c3d4e5f60718293a4b5c6d7e8f92"


def test_a_key_is_written_once(ledger: Ledger) -> None:
    ledger.write()
    with ledger.database.transaction() as connection:
        again = ledger.outbox.add(connection, draft(ledger.keys[0], OTHER, "again"))
    assert again is None


def test_a_row_is_claimed_once(ledger: Ledger) -> None:
    row_id = ledger.write("Buongiorno", OTHER)
    row = ledger.outbox.claim(row_id)
    assert row is not None
    assert (row.phone, row.message, row.attempts) == (OTHER, Text("Buongiorno"), 1)
    assert ledger.outbox.claim(row_id) is None


@pytest.mark.parametrize("outcome", ["sent", "refused"])
def test_the_next_goes_when_the_first_is_settled(ledger: Ledger, outcome: str) -> None:
    first, second = ledger.write(), ledger.write()
    assert ledger.outbox.claim(second) is None
    row = ledger.outbox.claim(first)
    assert row is not None
    assert ledger.outbox.next_of_guest(row.guest) is None
    if outcome == "sent":
        ledger.outbox.sent(first, UUID)
    else:
        ledger.outbox.refused(first, "no such number")
    assert ledger.outbox.next_of_guest(row.guest) == second
    assert ledger.outbox.claim(second) is not None


def test_guests_do_not_wait_for_each_other(ledger: Ledger) -> None:
    ledger.outbox.claim(ledger.write())
    assert ledger.outbox.claim(ledger.write(phone=OTHER)) is not None


def test_what_was_not_sent_waits_as_long_as_asked(ledger: Ledger) -> None:
    row = ledger.outbox.claim(ledger.write())
    assert row is not None
    ledger.outbox.not_sent(row, "429", timedelta(seconds=30))
    ledger.later(timedelta(seconds=29))
    assert ledger.outbox.claim(row.row_id) is None
    assert ledger.sweep().outbox == []
    ledger.later(timedelta(seconds=1))
    assert ledger.sweep().outbox == [row.row_id]
    assert ledger.outbox.claim(row.row_id) is not None


def test_a_lost_queue_message_is_swept_up(ledger: Ledger) -> None:
    row_id = ledger.write()
    ledger.later(GRACE)
    assert ledger.sweep().outbox == [row_id]


def test_a_worker_that_died_leaves_a_doubt_and_the_echo_ends_it(ledger: Ledger) -> None:
    row_id = ledger.write()
    ledger.outbox.claim(row_id)
    ledger.later(CLAIM_TIME)
    assert ledger.sweep().outbox == []
    assert ledger.state(row_id) == "unknown"
    ledger.report("Sent", ledger.keys[0], UUID)
    assert ledger.state(row_id) == "sent"
    ledger.later(timedelta(hours=1))
    assert ledger.sweep().outbox == []


def test_a_doubt_holds_up_the_guest_until_it_ends(ledger: Ledger) -> None:
    first, second = ledger.write(), ledger.write()
    row = ledger.outbox.claim(first)
    assert row is not None
    ledger.outbox.in_doubt(first, "ReadTimeout", ECHO_WAIT)
    assert ledger.outbox.claim(second) is None
    assert ledger.outbox.next_of_guest(row.guest) is None
    ledger.report("Sent", ledger.keys[0], UUID)
    assert ledger.outbox.next_of_guest(row.guest) == second


def test_without_an_echo_it_is_sent_again(ledger: Ledger) -> None:
    row_id = ledger.write()
    ledger.outbox.claim(row_id)
    ledger.later(CLAIM_TIME)
    ledger.sweep()
    ledger.later(ECHO_WAIT - CLAIM_TIME - timedelta(milliseconds=1))
    assert ledger.sweep().outbox == []
    ledger.later(timedelta(milliseconds=1))
    assert ledger.sweep().outbox == [row_id]
    row = ledger.outbox.claim(row_id)
    assert row is not None
    assert row.attempts == 2


@pytest.mark.parametrize("resend", [True, False])
def test_an_echo_that_nobody_has_read_yet_is_waited_for(ledger: Ledger, *, resend: bool) -> None:
    """No worker ran while it came, and the first look of the new one is later than the wait."""
    ledger.resend = resend
    row_id = ledger.write()
    ledger.outbox.claim(row_id)
    ledger.later(ECHO_WAIT * 2)
    ledger.hear("Sent", ledger.keys[0], UUID)
    ledger.later(ECHO_WAIT)
    assert ledger.sweep().outbox == []
    ledger.later(timedelta(seconds=1))
    assert ledger.sweep().outbox == []
    assert ledger.state(row_id) == "unknown"
    ledger.apply_heard()
    assert ledger.sweep().outbox == []
    assert ledger.state(row_id) == "sent"


def test_what_is_heard_after_the_wait_holds_up_nobody(ledger: Ledger) -> None:
    """Reports come all the time, and there is always one that nobody has read."""
    row_id = ledger.write()
    ledger.outbox.claim(row_id)
    ledger.later(ECHO_WAIT)
    ledger.hear("Sent", "reply-of-another", UUID)
    assert ledger.sweep().outbox == []
    ledger.later(timedelta(milliseconds=1))
    ledger.hear("Sent", "reply-of-a-third", UUID)
    ledger.apply_heard()
    ledger.hear("Sent", "reply-of-a-fourth", UUID)
    ledger.later(timedelta(milliseconds=1))
    assert ledger.sweep().outbox == [row_id]


def test_a_report_that_cant_be_read_holds_up_nobody(ledger: Ledger) -> None:
    row_id = ledger.write()
    ledger.outbox.claim(row_id)
    ledger.hear("Sent", "reply-of-another", UUID)
    for unreadable in ledger.heard:
        ledger.inbox.postpone(unreadable, "sealed with a key that is gone")
    ledger.later(ECHO_WAIT)
    assert ledger.sweep().outbox == [row_id]


def test_or_left_to_a_person(ledger: Ledger) -> None:
    ledger.resend = False
    row_id, after = ledger.write(), ledger.write()
    row = ledger.outbox.claim(row_id)
    assert row is not None
    ledger.outbox.in_doubt(row_id, "ReadTimeout", ECHO_WAIT)
    ledger.later(ECHO_WAIT)
    ledger.sweep()
    assert ledger.state(row_id) == "failed"
    assert ledger.outbox.claim(after) is not None


@pytest.mark.parametrize("status", ["Sent", "Delivered"])
def test_an_echo_after_all_is_believed(ledger: Ledger, status: str) -> None:
    ledger.resend = False
    row_id = ledger.write()
    ledger.outbox.claim(row_id)
    ledger.outbox.in_doubt(row_id, "ReadTimeout", ECHO_WAIT)
    ledger.later(ECHO_WAIT)
    ledger.sweep()
    ledger.report(status, ledger.keys[0], UUID)
    assert ledger.state(row_id) == status.lower()


def test_an_echo_that_overtakes_the_answer(ledger: Ledger) -> None:
    row_id = ledger.write()
    ledger.outbox.claim(row_id)
    ledger.report("Delivered", ledger.keys[0], UUID)
    ledger.outbox.sent(row_id, UUID)
    assert ledger.state(row_id) == "delivered"


def test_an_echo_that_overtakes_the_doubt(ledger: Ledger) -> None:
    row_id = ledger.write()
    ledger.outbox.claim(row_id)
    ledger.report("Sent", ledger.keys[0], UUID)
    ledger.outbox.in_doubt(row_id, "ReadTimeout", ECHO_WAIT)
    assert ledger.state(row_id) == "sent"


def test_an_echo_before_the_second_attempt_saves_it(ledger: Ledger) -> None:
    row_id = ledger.write()
    ledger.outbox.claim(row_id)
    ledger.later(CLAIM_TIME)
    ledger.sweep()
    ledger.later(ECHO_WAIT)
    ledger.sweep()
    assert ledger.state(row_id) == "pending"
    ledger.report("Sent", ledger.keys[0], UUID)
    assert ledger.outbox.claim(row_id) is None


@pytest.mark.parametrize(
    ("reports", "end"),
    [
        (["Sent", "Delivered", "Read"], "read"),
        (["Read", "Delivered", "Sent"], "read"),
        (["Delivered", "Sent"], "delivered"),
        (["Sent", "Error"], "failed"),
        (["Delivered", "Error"], "delivered"),
        (["Error", "Sent"], "failed"),
        (["Error", "Sent", "Delivered"], "delivered"),
    ],
)
def test_reports_move_forward_only(ledger: Ledger, reports: list[str], end: str) -> None:
    row_id = ledger.write()
    ledger.outbox.claim(row_id)
    ledger.outbox.sent(row_id, UUID)
    for status in reports:
        assert ledger.report(status, None, UUID) is not None
    assert ledger.state(row_id) == end


def test_reports_of_others_messages_are_not_ours(ledger: Ledger) -> None:
    ledger.write()
    assert ledger.report("Sent", "somebody-elses", UUID) is None
    assert ledger.report("Sent", None, UUID) is None

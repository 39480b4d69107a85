"""The last leader's clock was days ahead, or this machine's own was: nobody waits for days.

How it happens on two machines: tests/integration/ha/test_clocks.py.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.messages.doubt import cast_doubt
from app.messages.outbox import Outbox
from app.store.database import from_ms
from tests.support.events import GUEST
from tests.unit.messages.conftest import CLAIM_TIME, ECHO_WAIT, GRACE, RULES, Ledger, draft

AHEAD = timedelta(days=3)
OTHER = "+390000000002"


def take_over(ledger: Ledger) -> None:
    """What stands is the other machine's word."""
    with ledger.database.transaction() as connection:
        cast_doubt(connection, ledger.clock, ECHO_WAIT)
    ledger.later(ECHO_WAIT)


def set_back(ledger: Ledger) -> None:
    """What stands is this machine's own."""
    ledger.sweep()


@pytest.fixture(params=[take_over, set_back])
def over(request: pytest.FixtureRequest, ledger: Ledger) -> Callable[[], None]:
    """The time of the clock that is ahead is over."""
    ledger.clock += int(AHEAD.total_seconds() * 1000)

    def end() -> None:
        ledger.clock -= int(AHEAD.total_seconds() * 1000)
        request.param(ledger)
        ledger.later(max(GRACE, CLAIM_TIME + ECHO_WAIT))

    return end


def test_a_guests_message_is_answered(ledger: Ledger, over: Callable[[], None]) -> None:
    row_id = ledger.receive()
    over()
    assert row_id in ledger.sweep().messages
    row = ledger.inbox.open_row(row_id)
    assert row is not None
    # An album is whole some seconds after this.
    assert row.received_at <= from_ms(ledger.clock)


def test_a_reply_goes(ledger: Ledger, over: Callable[[], None]) -> None:
    row_id = ledger.write()
    over()
    ledger.sweep()
    assert ledger.outbox.claim(row_id) is not None


@pytest.mark.parametrize("begun", ["before", "while it was ahead"])
def test_a_send_that_failed_is_tried_again(
    ledger: Ledger, over: Callable[[], None], begun: str
) -> None:
    if begun == "before":
        ledger.clock -= int(AHEAD.total_seconds() * 1000)
    row_id = ledger.write()
    if begun == "before":
        ledger.clock += int(AHEAD.total_seconds() * 1000)
        ledger.write(phone=GUEST)  # whose 24 hours would be over by this clock
    claimed = ledger.outbox.claim(row_id)
    assert claimed is not None
    ledger.outbox.not_sent(claimed, "Spoki is down", timedelta(seconds=5))
    over()
    ledger.sweep()
    assert ledger.outbox.claim(row_id) is not None


def test_a_send_in_doubt_is_settled(ledger: Ledger, over: Callable[[], None]) -> None:
    row_id = ledger.write()
    ledger.outbox.claim(row_id)
    over()
    for _ in range(2):
        ledger.sweep()
        ledger.later(ECHO_WAIT)
    assert ledger.state(row_id) == "pending"


def test_a_429_of_that_time_holds_nobody(ledger: Ledger, over: Callable[[], None]) -> None:
    limited = ledger.outbox.claim(ledger.write())
    assert limited is not None
    ledger.outbox.slow_down(limited, "429", timedelta(seconds=10))
    over()
    other = ledger.write(phone=OTHER)
    assert ledger.outbox.claim(other) is not None


def test_what_was_sent_then_is_none_of_this_minute(
    ledger: Ledger, over: Callable[[], None]
) -> None:
    for number in range(RULES.around.limits.texts):
        row_id = ledger.write(phone=f"+3900000001{number:03}")
        assert ledger.outbox.claim(row_id) is not None
        ledger.outbox.sent(row_id, f"id-{number}")
    over()
    # The limit of texts is kept after a 429 alone.
    limited = ledger.outbox.claim(ledger.write(phone=OTHER))
    assert limited is not None
    ledger.outbox.slow_down(limited, "429", timedelta(seconds=1))
    ledger.later(timedelta(seconds=1))
    assert ledger.outbox.claim(ledger.write()) is not None


def test_what_was_to_wait_for_a_day_waits_for_a_day(
    ledger: Ledger, over: Callable[[], None]
) -> None:
    row_id = write_for(ledger.outbox, ledger, timedelta(days=1))
    over()
    over_at = ledger.clock
    (row,) = ledger.database.all("SELECT not_before FROM outbox WHERE id = ?", (row_id,))
    wait = from_ms(row["not_before"]) - from_ms(over_at)
    assert timedelta(hours=23) < wait < timedelta(hours=25)
    set_back(ledger)
    take_over(ledger)
    assert ledger.database.all("SELECT not_before FROM outbox WHERE id = ?", (row_id,)) == [row]


def test_what_was_put_off_by_the_right_clock_keeps_its_time(ledger: Ledger) -> None:
    row_id = write_for(ledger.outbox, ledger, AHEAD)
    before = ledger.database.all("SELECT * FROM outbox")
    set_back(ledger)
    assert ledger.database.all("SELECT * FROM outbox") == before
    take_over(ledger)
    assert ledger.database.all("SELECT * FROM outbox") == before
    assert ledger.outbox.claim(row_id) is None


def write_for(outbox: Outbox, ledger: Ledger, wait: timedelta) -> int:
    """Write a message that is to go later."""
    at = from_ms(ledger.clock) + wait
    written = draft("later", GUEST)
    with ledger.database.transaction() as connection:
        row_id = outbox.add(connection, type(written)(**{**vars(written), "not_before": at}))
    assert row_id is not None
    return row_id

"""The desk is called again while a guest waits for a person, and not for ever."""

from datetime import timedelta
from itertools import count

import pytest

from app.guests.guest import Guest
from app.store.database import to_ms
from app.work.desk import Desk
from app.work.reminders import MOST, remind
from tests.unit.work.conftest import GUEST, Clock, said_to_desk

AFTER = timedelta(minutes=15)
_numbers = count()


def write(desk: Desk, clock: Clock) -> None:
    """The guest writes something, and it is done with."""
    with desk.database.transaction() as connection:
        connection.execute(
            "INSERT INTO inbox (source, event_id, event, guest, sealed_body, state, received_at,"
            " next_at) VALUES ('spoki', ?, 'message.inbound', ?, x'', 'done', ?, 0)",
            (str(next(_numbers)), desk.seal.index(GUEST), to_ms(clock.now)),
        )


@pytest.fixture
def waiting(desk: Desk, clock: Clock) -> Desk:
    """A desk to which the bot has just handed a guest over."""
    write(desk, clock)
    with desk.database.transaction() as connection:
        desk.guests.put(connection, Guest(GUEST, name="Ada Esempio"))
        desk.conversations.hand_over(connection, desk.seal.index(GUEST), "human")
    return desk


def answer(desk: Desk) -> None:
    """A person writes to the guest."""
    with desk.database.transaction() as connection:
        desk.conversations.person_wrote(connection, desk.seal.index(GUEST), "Ugo")


def test_the_desk_is_called_again_and_told_who_waits(waiting: Desk, clock: Clock) -> None:
    clock.later(AFTER - timedelta(seconds=1))
    assert remind(waiting, AFTER, clock.now) == 0
    clock.later(timedelta(seconds=1))
    assert remind(waiting, AFTER, clock.now) == 1
    assert remind(waiting, AFTER, clock.now) == 0
    (text,) = said_to_desk(waiting)
    assert f"Ada Esempio ({GUEST})" in text
    assert "15 minuti" in text


def test_four_times_for_one_wait(waiting: Desk, clock: Clock) -> None:
    for _ in range(MOST + 2):
        clock.later(AFTER)
        remind(waiting, AFTER, clock.now)
    assert len(said_to_desk(waiting)) == MOST


def test_who_was_answered_does_not_wait(waiting: Desk, clock: Clock) -> None:
    clock.later(timedelta(minutes=1))
    answer(waiting)
    clock.later(timedelta(hours=1))
    assert remind(waiting, AFTER, clock.now) == 0


def test_a_new_wait_begins_with_what_they_write_next(waiting: Desk, clock: Clock) -> None:
    clock.later(AFTER)
    assert remind(waiting, AFTER, clock.now) == 1
    answer(waiting)
    clock.later(timedelta(hours=1))
    write(waiting, clock)
    clock.later(timedelta(minutes=5))
    write(waiting, clock)
    assert remind(waiting, AFTER, clock.now) == 0
    clock.later(AFTER - timedelta(minutes=5))
    assert remind(waiting, AFTER, clock.now) == 1
    assert "15 minuti" in said_to_desk(waiting)[-1]


def test_a_later_handing_over_is_a_wait_of_its_own(waiting: Desk, clock: Clock) -> None:
    clock.later(timedelta(minutes=1))
    answer(waiting)
    with waiting.database.transaction() as connection:
        waiting.conversations.give_back(connection, waiting.seal.index(GUEST))
    clock.later(timedelta(days=1))
    write(waiting, clock)
    clock.later(timedelta(days=1))
    write(waiting, clock)
    with waiting.database.transaction() as connection:
        waiting.conversations.hand_over(connection, waiting.seal.index(GUEST), "human")
    assert remind(waiting, AFTER, clock.now) == 0
    clock.later(AFTER)
    assert remind(waiting, AFTER, clock.now) == 1
    assert "15 minuti" in said_to_desk(waiting)[-1]


def test_who_was_given_back_does_not_wait(waiting: Desk, clock: Clock) -> None:
    with waiting.database.transaction() as connection:
        waiting.conversations.give_back(connection, waiting.seal.index(GUEST))
    clock.later(timedelta(hours=1))
    assert remind(waiting, AFTER, clock.now) == 0


def test_who_was_taken_over_before_they_ever_wrote_is_unknown_and_waits_for_nothing(
    desk: Desk, clock: Clock
) -> None:
    with desk.database.transaction() as connection:
        desk.conversations.take(connection, desk.seal.index(GUEST), "Ugo")
    clock.later(timedelta(hours=1))
    assert remind(desk, AFTER, clock.now) == 0

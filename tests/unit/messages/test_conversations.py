"""Who speaks with a guest, and what the talk was last about."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.messages.conversations import Conversation, Conversations
from app.store.database import to_ms
from tests.unit.messages.front import CLOCKS, GUEST, OTHER, Front, make_front

MOMENT = timedelta(milliseconds=1)
PATIENCE = timedelta(minutes=15)


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    found = make_front(tmp_path)
    for module in CLOCKS:
        monkeypatch.setattr(module, "now_ms", lambda: to_ms(found.now))
    yield found
    found.database.close()


@pytest.fixture
def talks(front: Front) -> Conversations:
    return Conversations(front.database)


@pytest.fixture
def guest(front: Front) -> bytes:
    return front.seal.index(GUEST)


def test_nobody_has_written_yet(talks: Conversations, guest: bytes) -> None:
    assert talks.of(guest) == Conversation()
    assert talks.held() == []


def test_a_topic_is_of_one_guest_and_is_forgotten(
    front: Front, talks: Conversations, guest: bytes
) -> None:
    for topic in ("parking", "breakfast"):
        front.change(talks.remember_topic, guest, topic)
    front.now += timedelta(minutes=30) - MOMENT
    assert talks.of(guest) == Conversation(topic="breakfast")
    assert talks.of(front.seal.index(OTHER)) == Conversation()
    front.now += MOMENT
    assert talks.of(guest) == Conversation()


def test_the_bot_hands_over_and_a_person_takes_and_gives_back(
    front: Front, talks: Conversations, guest: bytes
) -> None:
    front.change(talks.remember_topic, guest, "parking")
    since = front.now
    front.change(talks.hand_over, guest, "human")
    assert talks.of(guest) == Conversation(held_since=since, topic="parking")
    front.now += PATIENCE
    front.change(talks.take, guest, "Ada")
    assert talks.of(guest) == Conversation(held_since=since, held_by="Ada", topic="parking")
    (held,) = talks.held()
    assert (held.reason, held.held_by, held.held_since) == ("human", "Ada", since)
    # What was talked about with a person is nothing to go on from.
    assert front.change(talks.give_back, guest)
    assert talks.of(guest) == Conversation()
    assert not front.change(talks.give_back, guest)


def test_handing_over_takes_a_guest_from_nobody(
    front: Front, talks: Conversations, guest: bytes
) -> None:
    front.change(talks.take, guest, "Ada")
    since = front.now
    front.now += PATIENCE
    front.change(talks.hand_over, guest, "complaint")
    assert talks.of(guest) == Conversation(held_since=since, held_by="Ada")


def test_a_second_person_may_take_over_and_the_wait_goes_on(
    front: Front, talks: Conversations, guest: bytes
) -> None:
    since = front.now
    for by in ("Ada", "Bruno"):
        front.change(talks.take, guest, by)
        front.now += PATIENCE
    assert talks.of(guest) == Conversation(held_since=since, held_by="Bruno")


def test_who_has_waited_longest_is_first(front: Front, talks: Conversations) -> None:
    for phone in (OTHER, GUEST):
        index = front.seal.index(phone)
        front.change(talks.hand_over, index, "human")
        front.now += MOMENT
    assert [one.guest for one in talks.held()] == [front.seal.index(OTHER), front.seal.index(GUEST)]


def test_the_desk_is_reminded_until_a_person_writes(
    front: Front, talks: Conversations, guest: bytes
) -> None:
    front.hears()
    front.change(talks.hand_over, guest, "human")
    front.now += PATIENCE - MOMENT
    assert talks.to_remind(PATIENCE, most=2) == []
    front.now += MOMENT
    assert [one.guest for one in talks.to_remind(PATIENCE, most=2)] == [guest]
    front.change(talks.reminded, guest)
    assert talks.to_remind(PATIENCE, most=2) == []
    front.now += PATIENCE
    assert [one.reminders for one in talks.to_remind(PATIENCE, most=2)] == [1]
    front.change(talks.person_wrote, guest, "Ada")
    assert talks.held()[0].answered_at == front.now
    front.now += PATIENCE
    assert talks.to_remind(PATIENCE, most=2) == []


def test_a_guest_who_writes_again_waits_again(
    front: Front, talks: Conversations, guest: bytes
) -> None:
    front.hears()
    front.change(talks.person_wrote, guest, "Ada")
    front.now += PATIENCE
    assert talks.to_remind(PATIENCE, most=2) == []
    front.hears()
    assert [one.guest for one in talks.to_remind(PATIENCE, most=2)] == [guest]


def test_no_more_reminders_are_made_than_wanted(
    front: Front, talks: Conversations, guest: bytes
) -> None:
    front.hears()
    front.change(talks.hand_over, guest, "human")
    for _ in range(2):
        front.now += PATIENCE
        assert talks.to_remind(PATIENCE, most=2)
        front.change(talks.reminded, guest)
    front.now += PATIENCE
    assert talks.to_remind(PATIENCE, most=2) == []


def test_a_conversation_taken_anew_starts_its_own_wait(
    front: Front, talks: Conversations, guest: bytes
) -> None:
    front.change(talks.hand_over, guest, "human")
    front.change(talks.reminded, guest)
    front.change(talks.give_back, guest)
    front.now += PATIENCE
    front.change(talks.hand_over, guest, "complaint")
    (held,) = talks.held()
    assert (held.reason, held.held_since, held.reminders) == ("complaint", front.now, 0)

"""Telling the cloud: everything, once after its dedupe, in order per guest, whatever breaks."""

import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from app.events import outgoing
from app.messages import pausing
from app.messages.dead_letters import DeadLetters, LetterKind, Replay, Sieve
from app.messages.pausing import Queue
from app.store.database import to_ms
from app.work import telling
from app.work.asking_cloud import CloudError
from app.work.desk import Desk
from app.work.telling import Telling
from tests.support.told import SETTINGS, Ear
from tests.unit.work.conftest import Clock, DeskMaker, said_to_desk

PARK_AFTER = timedelta(days=3)
GUESTS = [bytes([number]) * 32 for number in range(20)]
DAY_OF_EVENTS = 10_000


@pytest.fixture
def told_desk(make: DeskMaker) -> Desk:
    return make(**SETTINGS)


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def clock(clock: Clock) -> Iterator[Clock]:
    with patch.object(outgoing, "now_ms", lambda: to_ms(clock.now)):
        yield clock


@pytest.fixture
def teller(told_desk: Desk, ear: Ear, clock: Clock) -> Telling:
    return Telling(told_desk, ear.client(), PARK_AFTER, clock)


def happens(desk: Desk, number: int, guest: bytes | None = GUESTS[0], size: int = 0) -> None:
    payload = {"number": number, "filling": "x" * size}
    with desk.database.transaction(durable=False) as connection:
        assert desk.events.record(connection, "custom.test", payload, guest)


def tell_all(teller: Telling) -> None:
    while teller.tell_batch():
        pass


def untold(teller: Telling) -> str:
    """Why telling failed."""
    with pytest.raises(CloudError) as error:
        teller.tell_batch()
    return str(error.value)


def states(desk: Desk) -> list[str]:
    return [row["state"] for row in desk.database.all("SELECT state FROM cloud_events ORDER BY id")]


def test_what_the_cloud_gets(told_desk: Desk, ear: Ear, teller: Telling, clock: Clock) -> None:
    happens(told_desk, 1)
    happens(told_desk, 2, guest=None)
    tell_all(teller)
    first, second = ear.told.values()
    assert first["name"] == "custom.test"
    assert first["guest"] == GUESTS[0].hex()
    assert first["occurred_at"] == clock.now.isoformat()
    assert first["payload"] == {"number": 1, "filling": ""}
    assert second["guest"] is None
    assert ear.batches == [2]


def test_without_a_cloud_nothing_is_written(make: DeskMaker) -> None:
    desk = make()
    with desk.database.transaction() as connection:
        assert desk.events.record(connection, "custom.test", {"number": 1}) is None
    assert states(desk) == []


def test_an_event_is_gone_with_the_transaction_that_caused_it(told_desk: Desk) -> None:
    def fail() -> None:
        with told_desk.database.transaction() as connection:
            told_desk.events.record(connection, "custom.test", {"number": 1})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert states(told_desk) == []


def test_what_it_says_is_sealed(told_desk: Desk) -> None:
    with told_desk.database.transaction() as connection:
        told_desk.events.record(connection, "custom.test", {"said": "Zenobia Invenzione"})
    path = told_desk.database.path
    content = path.read_bytes() + path.with_name(f"{path.name}-wal").read_bytes()
    assert b"custom.test" in content
    assert b"Zenobia" not in content


def test_batches_are_bounded_by_number_and_by_size(
    told_desk: Desk, ear: Ear, teller: Telling
) -> None:
    for number in range(150):
        happens(told_desk, number)
    for number in range(3):
        happens(told_desk, number, size=telling.MOST_BYTES // 2)
    happens(told_desk, 3, size=2 * telling.MOST_BYTES)
    tell_all(teller)
    assert ear.batches == [100, 51, 1, 1, 1]
    assert len(ear.told) == 154


@pytest.mark.parametrize(
    ("mood", "why"),
    [
        ("down", "ConnectError"),
        ("deaf", "ReadTimeout"),
        ("broken", "HTTP 500"),
        ("busy", "HTTP 429"),
        ("confused", "can't be read"),
    ],
)
def test_what_the_cloud_did_not_take_is_told_later_and_once(
    told_desk: Desk, ear: Ear, teller: Telling, mood: str, why: str
) -> None:
    for number in range(3):
        happens(told_desk, number)
    ear.mood = mood
    assert why in untold(teller)
    assert states(told_desk) == ["waiting"] * 3
    ear.mood = "up"
    tell_all(teller)
    assert states(told_desk) == ["delivered"] * 3
    assert ear.of_each_guest() == {GUESTS[0].hex(): [0, 1, 2]}


def test_a_rejected_event_is_parked_alone_with_an_alert(
    told_desk: Desk, ear: Ear, teller: Telling
) -> None:
    for number in range(4):
        happens(told_desk, number)
    ear.refuses = lambda event: event["payload"]["number"] in (1, 2)
    tell_all(teller)
    assert states(told_desk) == ["delivered", "parked", "parked", "delivered"]
    assert ear.of_each_guest() == {GUESTS[0].hex(): [0, 3]}
    (said,) = said_to_desk(told_desk)
    assert "dead-letters" in said


def test_what_spoils_a_batch_is_found_by_halving(
    told_desk: Desk, ear: Ear, teller: Telling
) -> None:
    for number in range(100):
        happens(told_desk, number)
    ear.faulty = lambda event: event["payload"]["number"] in (37, 90)
    tell_all(teller)
    assert ear.of_each_guest() == {
        GUESTS[0].hex(): [number for number in range(100) if number not in (37, 90)]
    }
    assert states(told_desk).count("parked") == 2


def test_an_event_is_parked_at_its_age_and_not_before(
    told_desk: Desk, ear: Ear, teller: Telling, clock: Clock
) -> None:
    happens(told_desk, 0)
    clock.later(timedelta(hours=1))
    happens(told_desk, 1)
    ear.mood = "down"
    clock.later(PARK_AFTER - timedelta(hours=1))
    untold(teller)
    assert states(told_desk) == ["waiting", "waiting"]
    clock.later(timedelta(milliseconds=1))
    untold(teller)
    untold(teller)
    assert states(told_desk) == ["parked", "waiting"]
    assert len(said_to_desk(told_desk)) == 1


def test_a_desk_that_was_off_for_a_week_still_tells_all(
    told_desk: Desk, ear: Ear, teller: Telling, clock: Clock
) -> None:
    happens(told_desk, 0)
    clock.later(timedelta(days=7))
    tell_all(teller)
    assert len(ear.told) == 1


def test_what_was_parked_is_told_once_a_person_replays_it(
    told_desk: Desk, ear: Ear, teller: Telling, clock: Clock
) -> None:
    happens(told_desk, 0)
    ear.mood = "down"
    clock.later(2 * PARK_AFTER)
    untold(teller)
    letters = DeadLetters(told_desk.database, told_desk.seal)
    (letter,) = letters.page(Sieve())
    assert (letter.kind, letter.what, letter.note) == (
        LetterKind.EVENTS,
        "custom.test",
        "too old: ConnectError",
    )
    with (
        patch("app.messages.dead_letters.now_ms", lambda: to_ms(clock.now)),
        told_desk.database.transaction() as connection,
    ):
        assert letters.replay(connection, letter.kind, letter.row_id) is Replay.REPLAYED
    untold(teller)
    assert states(told_desk) == ["waiting"], "its age is counted anew"
    ear.mood = "up"
    tell_all(teller)
    assert len(ear.told) == 1


def test_while_paused_nothing_is_told_and_nothing_grows_too_old(
    told_desk: Desk, ear: Ear, teller: Telling, clock: Clock
) -> None:
    happens(told_desk, 0)
    with told_desk.database.transaction() as connection:
        pausing.pause(connection, Queue.EVENTS, "test", "test")
    clock.later(2 * PARK_AFTER)
    assert teller.tell_batch() == 0
    assert states(told_desk) == ["waiting"]
    with (
        patch.object(pausing, "now_ms", lambda: to_ms(clock.now)),
        told_desk.database.transaction() as connection,
    ):
        pausing.resume(connection, Queue.EVENTS)
    ear.mood = "down"
    untold(teller)
    ear.mood = "up"
    tell_all(teller)
    assert states(told_desk) == ["delivered"]


def test_what_was_delivered_is_deleted_after_a_week(
    told_desk: Desk, teller: Telling, clock: Clock
) -> None:
    happens(told_desk, 0)
    tell_all(teller)
    clock.later(telling.KEPT)
    happens(told_desk, 1)
    teller.purge()
    assert states(told_desk) == ["delivered", "waiting"]
    clock.later(telling.PURGE_EVERY)
    teller.purge()
    assert states(told_desk) == ["waiting"]


def test_the_index_of_who_was_erased_goes_once_the_cloud_knows(
    told_desk: Desk, ear: Ear, teller: Telling
) -> None:
    with told_desk.database.transaction() as connection:
        told_desk.events.record(connection, "guest.erased", {}, GUESTS[0])
    tell_all(teller)
    (event,) = ear.told.values()
    assert event["guest"] == GUESTS[0].hex()
    assert states(told_desk) == []


@pytest.mark.thorough
def test_a_day_without_the_cloud(told_desk: Desk, ear: Ear, teller: Telling, clock: Clock) -> None:
    """10,000 events while it is away: all told after, in order per guest, once, in flat memory."""
    ear.mood = "down"
    for number in range(DAY_OF_EVENTS):
        happens(told_desk, number, GUESTS[number % len(GUESTS)])
        clock.later(timedelta(days=1) / DAY_OF_EVENTS)
        if number % 100 == 0:
            untold(teller)
    ear.mood = "up"
    order: dict[str | None, list[int]] = {}

    def take(events: list[dict[str, Any]]) -> dict[str, Any]:
        """Keeps numbers only: what the double holds is not what is measured."""
        for event in events:
            order.setdefault(event["guest"], []).append(event["payload"]["number"])
        return {"accepted": [event["event_id"] for event in events], "rejected": []}

    ear.take = take  # type: ignore[method-assign]
    tracemalloc.start()
    tell_all(teller)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert order == {
        guest.hex(): list(range(number, DAY_OF_EVENTS, len(GUESTS)))
        for number, guest in enumerate(GUESTS)
    }
    assert set(states(told_desk)) == {"delivered"}
    assert said_to_desk(told_desk) == []
    # What waits, read at once, is 16 MB. Within the bound are the numbers above, and the short
    # texts that pydantic remembers: 16,384 at most.
    assert most < 4_000_000

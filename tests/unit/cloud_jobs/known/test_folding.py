"""What is known is the same in whatever order it was told, and however often."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cloud_jobs.known.events import apply
from cloud_jobs.known.folding import REQUESTS
from cloud_jobs.runtime.events import Event
from cloud_jobs.store.base import Base
from cloud_jobs.store.known import KnownGuest, KnownMessage, KnownRequest, KnownStay, KnownTurn
from tests.support.cloud_layer import Layer

BEGAN: Final = datetime(2026, 11, 1, tzinfo=UTC)
TABLES: Final = (KnownGuest, KnownStay, KnownRequest, KnownTurn, KnownMessage)
GUESTS: Final = ("a" * 64, "b" * 64)
# Of the desk's states, which may follow which.
MESSAGES: Final = ("sent", "delivered", "read", "failed", "refused")


def guest_told() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    payload = st.fixed_dictionaries(
        {
            "language": st.sampled_from([None, "it", "de"]),
            "time_zone": st.sampled_from([None, "Europe/Rome"]),
            "consent": st.sampled_from(["unknown", "given", "withdrawn"]),
        }
    )
    return st.tuples(st.sampled_from(["guest.created", "guest.changed"]), payload)


def stay_told() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    payload = st.fixed_dictionaries(
        {
            "booking_id": st.just(1),
            "channel": st.just("direct"),
            "code": st.sampled_from(["B-1", "B-2"]),
            "status": st.sampled_from(["requested", "confirmed", "cancelled", "ended"]),
            "unit": st.sampled_from([None, "Room 4"]),
            "arrival": st.sampled_from([None, "2026-12-04"]),
            "departure": st.sampled_from([None, "2026-12-08"]),
            "party": st.sampled_from([None, 2]),
            "flight_number": st.sampled_from([None, "az 1572", "AZ1572", "no flight at all"]),
        }
    )
    return st.tuples(st.sampled_from(["booking.changed", "stay.ended"]), payload)


def request_told() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    payload = st.fixed_dictionaries(
        {
            "request_id": st.sampled_from([1, 2]),
            "kind": st.just("late_checkout"),
            "booking_id": st.sampled_from([None, 1]),
            "price": st.sampled_from([None, "25.00"]),
            "currency": st.sampled_from([None, "EUR"]),
        }
    )
    return st.tuples(st.sampled_from(sorted(REQUESTS)), payload)


def turn_told() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """Of one message there is one of each."""
    received = {"inbox_id": 1, "received_at": "2026-11-01T10:00:00Z", "media": []}
    answered = {
        "inbox_id": 1,
        "intents": ["checkin", "parking"],
        "score": 0.9,
        "language": "it",
        "agent": "faq",
        "silent": False,
    }
    return st.sampled_from([("message.received", received), ("message.answered", answered)])


def message_told() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    payload = st.fixed_dictionaries(
        {
            "outbox_id": st.sampled_from([1, 2]),
            "kind": st.just("notice"),
            "template": st.just("welcome"),
            "sent_as": st.sampled_from(["text", "template"]),
            "language": st.just("it"),
            "purpose": st.just("service"),
            "country": st.sampled_from([None, "IT"]),
        }
    )
    return st.tuples(st.sampled_from([f"message.{state}" for state in MESSAGES]), payload)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """What a desk tells, each at a time of its own, but for a message's two of one turn."""
    kinds = st.one_of(guest_told(), stay_told(), request_told(), turn_told(), message_told())
    told = draw(st.lists(st.tuples(kinds, st.sampled_from(GUESTS)), max_size=12))
    turns = {name for (name, _), _ in told if name in {"message.received", "message.answered"}}
    events, seen = [], set()
    for number, ((name, payload), guest) in enumerate(told):
        if name in turns:
            if name in seen:
                continue
            seen.add(name)
        about = GUESTS[0] if name in turns else guest
        at = BEGAN + timedelta(minutes=number)
        events.append(Event(f"e-{number}", name, "mac", at, payload, about))
    return events


@pytest.fixture(scope="module")
def lasting(new_url: Callable[[], str]) -> Iterator[Layer]:
    found = Layer.make(new_url, [])
    yield found
    found.close()


def known(layer: Layer, told: list[Event]) -> dict[str, list[dict[str, Any]]]:
    """What is known when nothing but that was told, in that order."""
    with layer.store.writing() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
        for event in told:
            apply(session, event, seal=layer.seal, now=BEGAN)
            session.flush()
            session.expunge_all()  # the next is told another time
    with layer.store.reading() as session:
        return {
            table.__tablename__: [
                {column.name: getattr(row, column.name) for column in table.__table__.columns}
                for row in session.scalars(select(table).order_by(*table.__table__.primary_key))
            ]
            for table in TABLES
        }


@pytest.mark.thorough
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(history=histories(), data=st.data())
def test_any_order_ends_alike(lasting: Layer, history: list[Event], data: st.DataObject) -> None:
    in_order = known(lasting, history)
    shuffled = data.draw(st.permutations(history))
    again = data.draw(st.lists(st.sampled_from(history), max_size=4)) if history else []
    assert known(lasting, [*shuffled, *again]) == in_order


def told(name: str, minutes: int, guest: str | None = GUESTS[0], /, **payload: Any) -> Event:
    return Event(
        f"{name}-{minutes}", name, "mac", BEGAN + timedelta(minutes=minutes), payload, guest
    )


BOOKED: Final[dict[str, Any]] = {
    "booking_id": 1,
    "channel": "direct",
    "code": "B-1",
    "status": "confirmed",
    "arrival": "2026-12-04",
    "departure": "2026-12-08",
}


def test_the_newest_is_what_is_known_and_the_first_when_it_began(lasting: Layer) -> None:
    moved = told("booking.changed", 5, GUESTS[1], **BOOKED | {"departure": "2026-12-09"})
    (stay,) = known(lasting, [moved, told("booking.changed", 1, **BOOKED)])["known_stays"]
    assert (stay["guest"], str(stay["departure"])) == (GUESTS[1], "2026-12-09")
    assert stay["booked_at"] == BEGAN + timedelta(minutes=1)
    assert stay["told_at"] == BEGAN + timedelta(minutes=5)


def test_of_two_of_one_moment_the_one_that_is_told_later_counts(lasting: Layer) -> None:
    first = told("guest.created", 1, language=None, consent="unknown")
    second = told("guest.changed", 1, language="de", consent="given")
    (guest,) = known(lasting, [first, second])["known_guests"]
    assert (guest["language"], guest["consent"]) == ("de", "given")


def test_an_offer_that_was_accepted_was_offered_whatever_came_first(lasting: Layer) -> None:
    request = {"request_id": 7, "kind": "late_checkout", "price": "25.00", "currency": "EUR"}
    history = [
        told("request.closed", 9, **request, outcome="done"),
        told("offer.accepted", 4, **request),
        told("offer.made", 1, **request),
    ]
    (row,) = known(lasting, history)["known_requests"]
    assert (row["state"], row["outcome"], row["was_offered"]) == ("closed", "done", True)
    assert row["made_at"] == BEGAN + timedelta(minutes=1)


def test_names_of_others_change_nothing(lasting: Layer) -> None:
    for name in ("custom.boiler.cold", "reservation.told", "conversation.given_back"):
        assert not any(known(lasting, [told(name, 1)]).values())

"""Requests: offers that stand for a while, and what the desk must see to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

import pytest

from app.guests.request import RequestKind, RequestState
from app.guests.requests import NewRequest
from tests.unit.guests.conftest import Store

PHONE, OTHER = "+390000000001", "+390000000002"
HOUR = timedelta(hours=1)
ASKED = NewRequest(RequestKind.LUGGAGE, PHONE, "Posso lasciare le valigie?")


def offer(until: timedelta = HOUR) -> NewRequest:
    return NewRequest(
        RequestKind.LATE_CHECKOUT,
        PHONE,
        "Possiamo restare fino alle 14?",
        state=RequestState.OFFERED,
        price=Decimal("30.00"),
        currency="EUR",
        expires_at=(datetime.now(UTC) + until).replace(microsecond=0),
    )


def test_a_request_comes_back_as_made(store: Store) -> None:
    new = offer()
    request_id = store.make(new)
    found = store.requests.find(request_id)
    assert found is not None
    assert (found.kind, found.state, found.phone, found.detail) == (
        new.kind,
        new.state,
        PHONE,
        new.detail,
    )
    assert (found.price, found.currency, found.expires_at) == (
        new.price,
        new.currency,
        new.expires_at,
    )
    assert abs(found.created_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_last_offer_that_stands_is_the_open_one(store: Store) -> None:
    store.make(offer())
    last = store.make(offer())
    store.make(offer(-HOUR))
    found = store.requests.open_offer(PHONE)
    assert found is not None
    assert found.request_id == last
    assert store.requests.open_offer(OTHER) is None


def test_an_offer_is_accepted_once_and_then_waits_for_the_desk(store: Store) -> None:
    request_id = store.make(offer())
    assert store.requests.waiting() == []
    with store.database.transaction() as connection:
        assert store.requests.accept(connection, request_id)
        assert not store.requests.accept(connection, request_id)
        assert not store.requests.decline(connection, request_id)
    assert [request.request_id for request in store.requests.waiting()] == [request_id]
    assert store.requests.open_offer(PHONE) is None


def test_an_offer_that_is_over_can_t_be_accepted(store: Store) -> None:
    request_id = store.make(offer(-HOUR))
    with store.database.transaction() as connection:
        assert not store.requests.accept(connection, request_id)


def test_offers_expire_when_they_are_due(store: Store) -> None:
    due = store.make(offer(-HOUR))
    standing = store.make(offer())
    endless = store.make(replace(offer(), expires_at=None))
    with store.database.transaction() as connection:
        assert store.requests.expire_due(connection) == 1
        assert store.requests.expire_due(connection) == 0
    states = [store.requests.find(request_id) for request_id in (due, standing, endless)]
    assert [found.state for found in states if found] == [
        RequestState.EXPIRED,
        RequestState.OFFERED,
        RequestState.OFFERED,
    ]


def test_what_is_due_is_found_by_its_index(store: Store) -> None:
    steps = store.database.all(
        "EXPLAIN QUERY PLAN UPDATE requests SET state = 'expired' "
        "WHERE state = 'offered' AND expires_at <= 0"
    )
    assert "requests_offered" in steps[0]["detail"]


@pytest.mark.parametrize("end", [RequestState.DONE, RequestState.REFUSED])
def test_the_desk_sees_to_a_request_once(
    store: Store, end: Literal[RequestState.DONE, RequestState.REFUSED]
) -> None:
    request_id = store.make(ASKED)
    with store.database.transaction() as connection:
        assert store.requests.close(connection, request_id, end, "Carla")
        assert not store.requests.close(connection, request_id, end, "Bruno")
    assert store.requests.waiting() == []
    assert store.events() == ["guest_created", "request_open", f"request_{end}"]
    assert [entry["actor"] for entry in store.history()] == ["guest", "guest", "Carla"]


def test_a_declined_offer_is_nothing_for_the_desk(store: Store) -> None:
    request_id = store.make(offer())
    with store.database.transaction() as connection:
        assert store.requests.decline(connection, request_id)
        assert not store.requests.close(connection, request_id, RequestState.DONE, "Carla")
    assert store.requests.waiting() == []

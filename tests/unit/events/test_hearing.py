"""What happens at the desk, and what the cloud is told of it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.events.catalogue import CATALOGUE
from app.events.hearing import tell_message
from app.guests.booking import Booking, BookingStatus
from app.guests.guest import Guest
from app.guests.request import RequestKind, RequestState
from app.guests.requests import NewRequest
from app.messages.events import Delivery, StatusReport
from app.messages.settling import settle
from app.providers import spoki_events
from app.store.database import Connection
from app.work.desk import Desk, make_desk
from app.work.handling import answer_message
from app.work.notices import close_past_days
from tests.support.events import encode, inbound
from tests.support.lines import IT, LINES
from tests.support.told import SETTINGS
from tests.unit.work.conftest import GUEST, settings

SECRETS = (GUEST, GUEST[1:], "Zenobia", "zenobia@example.invalid", "zuppa di cipolle")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = make_desk(settings(tmp_path, **SETTINGS))
    yield found
    found.database.close()


def told(desk: Desk) -> list[tuple[str, dict[str, Any]]]:
    """Names and payloads, in order; each is of its schema."""
    found = []
    for row in desk.database.all("SELECT * FROM cloud_events ORDER BY id"):
        context = f"cloud_events.payload:{row['event_id']}"
        payload = desk.seal.open(row["sealed_payload"], context)
        CATALOGUE[row["name"]].payload.model_validate_json(payload)
        assert not any(secret in payload for secret in SECRETS)
        assert row["guest"] == desk.seal.index(GUEST)
        found.append((row["name"], json.loads(payload)))
    return found


def names(desk: Desk) -> list[str]:
    return [name for name, _ in told(desk)]


def change(desk: Desk, write: Callable[[Connection], Any]) -> Any:
    with desk.database.transaction() as connection:
        return write(connection)


def hears(desk: Desk, text: str) -> int | None:
    """A guest writes and is answered; the outbox row that was claimed."""
    body = encode(inbound(text, GUEST))
    keep = desk.inbox.accept(spoki_events.parse(body), body)
    row_id = change(desk, keep).row_id
    claimed = answer_message(desk, row_id).claimed
    return claimed.row_id if claimed else None


def booking(**parts: Any) -> Booking:
    given = {"unit": "12", "arrival": date(2026, 11, 20), "departure": date(2026, 11, 22)}
    status = parts.pop("status", BookingStatus.CONFIRMED)
    return Booking("direct", "B-1", status, phone=GUEST, **{**given, **parts})


def test_a_message_and_its_answer(desk: Desk) -> None:
    outbox_id = hears(desk, LINES[IT].breakfast)
    assert outbox_id is not None
    desk.outbox.sent(outbox_id, "provider-1")
    desk.outbox.sent(outbox_id, "provider-1")
    found = dict(told(desk))
    assert names(desk) == ["guest.created", "message.received", "message.answered", "message.sent"]
    assert found["message.received"]["inbox_id"] == 1
    answered = found["message.answered"]
    assert (answered["intents"], answered["language"], answered["silent"]) == (
        ["breakfast"],
        "it",
        False,
    )
    assert 0 < answered["score"] <= 1
    assert found["message.sent"]["kind"] == "reply"


@pytest.mark.parametrize("reached", [Delivery.DELIVERED, Delivery.READ, Delivery.FAILED])
def test_what_became_of_a_message_is_told_once(desk: Desk, reached: Delivery) -> None:
    outbox_id = hears(desk, LINES[IT].breakfast)
    assert outbox_id is not None
    desk.outbox.sent(outbox_id, "provider-1")
    (row,) = desk.database.all("SELECT idempotency_key FROM outbox")
    report = StatusReport("provider-1", row["idempotency_key"], reached)
    on_moved = partial(tell_message, desk.events)
    for _ in range(2):
        change(desk, lambda connection: settle(connection, report, on_moved))
    assert names(desk)[3:] == ["message.sent", f"message.{reached}"]


def test_an_emergency_is_handed_over(desk: Desk) -> None:
    hears(desk, LINES[IT].emergency)
    assert "emergency.raised" in names(desk)


def test_a_conversation_goes_to_a_person_and_back(desk: Desk) -> None:
    guest = desk.seal.index(GUEST)
    hears(desk, LINES[IT].person)
    change(desk, lambda c: desk.conversations.hand_over(c, guest, "human"))
    change(desk, lambda c: desk.conversations.take(c, guest, "Ada"))
    change(desk, lambda c: desk.conversations.give_back(c, guest))
    change(desk, lambda c: desk.conversations.give_back(c, guest))
    change(desk, lambda c: desk.conversations.person_wrote(c, guest, "Ada"))
    moves = [one for one in told(desk) if one[0].startswith("conversation.")]
    assert moves == [
        ("conversation.handed_over", {"reason": "human"}),
        ("conversation.given_back", {}),
        ("conversation.handed_over", {"reason": None}),
    ]


def test_a_guest_without_what_says_who_it_is(desk: Desk) -> None:
    guest = Guest(GUEST, name="Zenobia", email="zenobia@example.invalid", language="it")
    change(desk, lambda c: desk.guests.put(c, guest))
    change(desk, lambda c: desk.guests.set_language(c, GUEST, "de"))
    change(desk, lambda c: desk.guests.set_language(c, GUEST, "de"))
    created, changed = told(desk)
    assert created[0] == "guest.created"
    assert {"name", "email", "language"} <= set(created[1]["changed"])
    assert changed == (
        "guest.changed",
        {"changed": ["language"], "language": "de", "time_zone": None, "consent": "unknown"},
    )


def test_a_booking_until_the_guest_has_left(desk: Desk) -> None:
    change(desk, lambda c: desk.bookings.upsert(c, booking(status=BookingStatus.REQUESTED)))
    change(desk, lambda c: desk.bookings.upsert(c, booking(flight_number="XX 777")))
    assert close_past_days(desk, datetime(2026, 11, 24, 12, tzinfo=UTC)) == 1
    assert names(desk) == ["guest.created", "booking.changed", "booking.changed", "stay.ended"]
    _, payload = told(desk)[2]
    assert payload["changed"] == ["flight_number", "status"]
    assert (payload["code"], payload["status"], payload["arrival"], payload["flight_number"]) == (
        "B-1",
        "confirmed",
        "2026-11-20",
        "XX 777",
    )
    assert told(desk)[3][1]["status"] == "ended"


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (lambda desk, c, one: desk.requests.accept(c, one), "offer.accepted"),
        (lambda desk, c, one: desk.requests.decline(c, one), "offer.declined"),
    ],
)
def test_an_offer(desk: Desk, answer: Callable[[Desk, Connection, int], bool], name: str) -> None:
    new = NewRequest(
        RequestKind.LATE_CHECKOUT,
        GUEST,
        "zuppa di cipolle",
        state=RequestState.OFFERED,
        price=Decimal("30.00"),
        currency="EUR",
    )
    request_id = change(desk, lambda c: desk.requests.make(c, new))
    change(desk, lambda c: answer(desk, c, request_id))
    assert names(desk) == ["guest.created", "offer.made", name]
    assert told(desk)[2][1] == {
        "request_id": request_id,
        "kind": "late_checkout",
        "booking_id": None,
        "price": "30.00",
        "currency": "EUR",
    }


def test_a_request_until_the_desk_saw_to_it(desk: Desk) -> None:
    new = NewRequest(RequestKind.TRANSFER, GUEST, "zuppa di cipolle")
    request_id = change(desk, lambda c: desk.requests.make(c, new))
    change(desk, lambda c: desk.requests.close(c, request_id, RequestState.REFUSED, "Ada"))
    assert names(desk) == ["guest.created", "request.made", "request.closed"]
    assert told(desk)[2][1]["outcome"] == "refused"

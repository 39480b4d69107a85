"""The booking agent: what is booked is told, what is wanted is offered or passed on."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from app.conversation.intent import Intent
from app.conversation.language import Language
from app.conversation.turn import Agent, CallPerson, CloseOffer, MakeRequest, Offer, Turn
from app.guests.booking import Booking, BookingStatus
from app.guests.request import RequestKind
from tests.unit.conversation.talking import BARE, EXAMPLE, STAY, ask, at, bare

STAYING = Turn("", at(5), bookings=(STAY,))
OFFERED = replace(STAYING, offer=Offer(41, RequestKind.LATE_CHECKOUT, Decimal("22.50"), "EUR"))


def test_a_booking_is_told_whole() -> None:
    reply = ask("?", Intent.BOOKING_STATUS, turn=STAYING)
    assert reply.text == (
        "Your booking AUR-417 is confirmed.\n"
        "Arrival: 4 May 2026\n"
        "Departure: 8 May 2026\n"
        "Room: Camera Glicine\n"
        "Guests: 2\n"
        "Left to pay: €312.50"
    )
    assert (reply.agent, reply.effects) == (Agent.BOOKING, ())


def test_a_paid_booking_has_nothing_left_to_pay() -> None:
    paid = replace(STAYING, bookings=(replace(STAY, balance=Decimal(0)),))
    assert "nothing left to pay" in ask("?", Intent.BOOKING_STATUS, turn=paid).text


def test_a_requested_booking_is_not_called_confirmed() -> None:
    asked = replace(STAYING, bookings=(replace(STAY, status=BookingStatus.REQUESTED),))
    assert "isn't confirmed yet" in ask("?", Intent.BOOKING_STATUS, turn=asked).text


def test_of_a_bare_number_a_person_tells_the_rest() -> None:
    number = Booking("direct", "AUR-9", BookingStatus.CONFIRMED)
    reply = ask("?", Intent.BOOKING_STATUS, turn=replace(STAYING, bookings=(number,)))
    assert reply.text.startswith("Your booking AUR-9 is confirmed.\n\nA colleague")
    assert reply.effects == (CallPerson(Intent.BOOKING_STATUS),)


def test_a_booking_that_is_not_found_is_left_to_a_person() -> None:
    reply = ask("?", Intent.BOOKING_STATUS)
    assert reply.effects == (CallPerson(Intent.BOOKING_STATUS),)


@pytest.mark.parametrize(
    ("intent", "kind", "booking_id"),
    [
        (Intent.BOOKING_CHANGE, RequestKind.BOOKING_CHANGE, 7),
        (Intent.BOOKING_CANCEL, RequestKind.BOOKING_CANCEL, 7),
        (Intent.NEW_BOOKING, RequestKind.NEW_BOOKING, None),
    ],
)
def test_a_wish_is_passed_on_and_not_called_done(
    intent: Intent, kind: RequestKind, booking_id: int | None
) -> None:
    reply = ask("from Friday please", intent, turn=STAYING)
    assert reply.effects == (MakeRequest(kind, "from Friday please", booking_id),)
    assert "until" in reply.text


@pytest.mark.parametrize(
    ("text", "intent", "kind", "price", "said"),
    [
        ("room at noon?", Intent.EARLY_CHECKIN, RequestKind.EARLY_CHECKIN, 20, "from noon for €20"),
        ("stay longer?", Intent.LATE_CHECKOUT, RequestKind.LATE_CHECKOUT, 25, "until 1 pm for €25"),
        ("can you pick us up?", Intent.TRANSPORT, RequestKind.TRANSFER, 18, "for €18.00"),
        ("One more person", Intent.BOOKING_CHANGE, RequestKind.EXTRA_GUEST, 30, "€30.00 a night"),
    ],
)
def test_what_has_a_price_is_offered(
    text: str, intent: Intent, kind: RequestKind, price: int, said: str
) -> None:
    reply = ask(text, intent, turn=STAYING)
    assert reply.effects == (MakeRequest(kind, text, 7, Decimal(price), "EUR"),)
    assert said in reply.text
    assert [choice.choice_id for choice in reply.choices] == ["accept", "decline"]
    assert reply.agent is Agent.BOOKING


def test_what_is_free_is_offered_too() -> None:
    free = bare(currency="EUR", extras={"late_checkout": {"until": "12:30", "price": "0"}})
    reply = ask("?", Intent.LATE_CHECKOUT, facts=free)
    assert "until 12:30 pm free of charge" in reply.text
    (request,) = reply.effects
    assert isinstance(request, MakeRequest)
    assert request.price == 0
    assert reply.choices


@pytest.mark.parametrize(
    ("text", "intent", "kind"),
    [
        ("?", Intent.EARLY_CHECKIN, RequestKind.EARLY_CHECKIN),
        ("?", Intent.LATE_CHECKOUT, RequestKind.LATE_CHECKOUT),
        ("a shuttle, please", Intent.TRANSPORT, RequestKind.TRANSFER),
        ("One more person", Intent.BOOKING_CHANGE, RequestKind.BOOKING_CHANGE),
    ],
)
def test_what_has_no_price_the_desk_decides(text: str, intent: Intent, kind: RequestKind) -> None:
    reply = ask(text, intent, facts=BARE)
    assert reply.effects == (MakeRequest(kind, text),)
    assert reply.choices == ()


@pytest.mark.parametrize(
    "text", ["one more person and one more night", "an extra guest from the 6th", "no extra guest"]
)
def test_more_than_one_more_guest_is_for_the_desk_to_read(text: str) -> None:
    reply = ask(text, Intent.BOOKING_CHANGE, turn=STAYING)
    assert reply.effects == (MakeRequest(RequestKind.BOOKING_CHANGE, text, 7),)


def test_a_bus_is_no_transfer() -> None:
    reply = ask("When does the bus leave?", Intent.TRANSPORT)
    assert (reply.agent, reply.effects) == (Agent.CONCIERGE, ())


def test_an_open_offer_is_said_again_at_its_own_price_and_not_made_twice() -> None:
    reply = ask("late check-out?", Intent.LATE_CHECKOUT, turn=OFFERED)
    assert "€22.50" in reply.text
    assert reply.effects == ()
    assert reply.choices


def test_one_reply_makes_one_offer() -> None:
    reply = ask("early in, late out", Intent.LATE_CHECKOUT, Intent.EARLY_CHECKIN)
    offered, passed_on = reply.effects
    assert isinstance(offered, MakeRequest)
    assert (offered.kind, offered.price) == (RequestKind.LATE_CHECKOUT, Decimal(25))
    assert passed_on == MakeRequest(RequestKind.EARLY_CHECKIN, "early in, late out")
    assert len(reply.choices) == 2


@pytest.mark.parametrize(("choice_id", "accepted"), [("accept", True), ("decline", False)])
def test_a_tap_settles_the_offer(choice_id: str, accepted: bool) -> None:
    reply = ask("👌", Intent.OTHER, turn=replace(OFFERED, choice_id=choice_id))
    assert reply.effects == (CloseOffer(41, accepted=accepted),)
    assert (reply.intents, reply.score) == ((Intent.LATE_CHECKOUT,), 1)


@pytest.mark.parametrize(
    ("choice_id", "effects"), [("accept", (CallPerson(Intent.OTHER),)), ("decline", ())]
)
def test_a_tap_that_comes_too_late(choice_id: str, effects: tuple[CallPerson, ...]) -> None:
    reply = ask("Yes, please", Intent.OTHER, turn=replace(STAYING, choice_id=choice_id))
    assert reply.effects == effects


def test_a_yes_without_an_offer_is_an_ordinary_message() -> None:
    assert ask("yes please", Intent.THANKS, turn=STAYING).intents == (Intent.THANKS,)


def test_an_emergency_goes_before_an_offer() -> None:
    reply = ask("yes", Intent.EMERGENCY, turn=replace(OFFERED, choice_id="accept"))
    assert reply.agent is Agent.EMERGENCY


@pytest.mark.parametrize("language", Language)
def test_choices_fit_their_buttons(language: Language) -> None:
    choices = ask("?", Intent.LATE_CHECKOUT, language=language).choices
    assert choices
    assert all(len(choice.title) <= 20 for choice in choices)


def test_a_topic_whose_offer_is_closed_is_not_asked_for_again() -> None:
    after = replace(STAYING, topic=Intent.LATE_CHECKOUT)
    reply = ask("and how much?", Intent.OTHER, turn=after, facts=EXAMPLE)
    assert reply.effects == (CallPerson(Intent.LATE_CHECKOUT),)


def test_many_bookings_are_left_to_a_person() -> None:
    group = tuple(
        replace(STAY, code=f"AUR-{n}", arrival=dt.date(2026, 6, n), departure=dt.date(2026, 6, 9))
        for n in range(1, 6)
    )
    reply = ask("?", Intent.BOOKING_STATUS, turn=replace(STAYING, bookings=group))
    assert reply.text.count("AUR-") == 3
    assert reply.effects == (CallPerson(Intent.BOOKING_STATUS),)

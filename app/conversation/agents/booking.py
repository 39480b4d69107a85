"""The booking agent: what is booked, and what a guest wants changed or added.

It settles nothing by itself. What a guest wants becomes a request for the desk, or an offer where
the property has a price for it; either is done only when the desk confirms it.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Final

from app.conversation.agents import concierge
from app.conversation.agents.offers import offer, request
from app.conversation.agents.scene import Part, Scene, for_a_person
from app.conversation.intent import Intent
from app.conversation.phrases import Phrases
from app.conversation.said import Saying, affirms, says
from app.conversation.turn import MakeRequest
from app.conversation.wording import day, lines, literal, money
from app.guests.booking import Booking, BookingStatus
from app.guests.request import RequestKind

# More than three stays ahead are a group's or an agency's, and the desk's to talk about.
_MOST_TOLD: Final = 3


def takes(intent: Intent, scene: Scene) -> bool:
    """Whether this agent answers the intent. Of rides, only those that the house gives."""
    if intent is Intent.TRANSPORT:
        return affirms(Saying.TRANSFER, scene.turn.text)
    return intent in _ANSWERS


def answer(intent: Intent, scene: Scene) -> Part:
    """The part of a reply to one of the intents that it takes."""
    return _ANSWERS[intent](scene)


def status(scene: Scene) -> Part:
    """The guest's bookings; of one that isn't found, nothing is said but that a person looks."""
    bookings = scene.turn.bookings
    if not bookings:
        return for_a_person(scene.phrases.say("booking_unknown"), Intent.BOOKING_STATUS)
    told = "\n\n".join(_told(booking, scene) for booking in bookings[:_MOST_TOLD])
    whole = len(bookings) <= _MOST_TOLD and all(map(_is_known, bookings))
    return Part(told, missing=None if whole else Intent.BOOKING_STATUS)


def _is_known(booking: Booking) -> bool:
    """Whether all that guests ask about is there; a booking may begin as a bare number."""
    return None not in (booking.arrival, booking.departure, booking.balance, booking.currency)


def _told(booking: Booking, scene: Scene) -> str:
    phrases = scene.phrases
    is_confirmed = booking.status is BookingStatus.CONFIRMED
    state = "booking_confirmed" if is_confirmed else "booking_requested"
    return lines(
        phrases.say(state, code=literal(booking.code)),
        _dated("booking_arrival", booking.arrival, phrases),
        _dated("booking_departure", booking.departure, phrases),
        booking.unit and phrases.say("booking_unit", unit=booking.unit),
        phrases.say("booking_party", party=str(booking.party)) if booking.party else None,
        _balance(booking, scene),
    )


def _dated(phrase: str, date: dt.date | None, phrases: Phrases) -> str | None:
    return phrases.say(phrase, date=day(date, phrases.language)) if date else None


def _balance(booking: Booking, scene: Scene) -> str | None:
    if booking.balance is None or booking.currency is None:
        return None
    if booking.balance <= 0:
        return scene.phrases.say("booking_paid")
    amount = money(booking.balance, booking.currency, scene.phrases.language)
    return scene.phrases.say("booking_balance", amount=amount)


def _early_checkin(scene: Scene) -> Part:
    return _offer_or_request(RequestKind.EARLY_CHECKIN, scene)


def _late_checkout(scene: Scene) -> Part:
    return _offer_or_request(RequestKind.LATE_CHECKOUT, scene)


def _offer_or_request(kind: RequestKind, scene: Scene) -> Part:
    return offer(kind, scene) or request(kind, scene)


def _transfer(scene: Scene) -> Part:
    """A transfer at a price; else the desk arranges it, and the host's text may help meanwhile."""
    offered = offer(RequestKind.TRANSFER, scene)
    if offered is not None:
        return offered
    asked = request(RequestKind.TRANSFER, scene)
    known = concierge.facts_of(Intent.TRANSPORT, scene)
    return Part(lines(known.text, asked.text), asked.effects)


def _change(scene: Scene) -> Part:
    if _wants_one_more_guest(scene.turn.text):
        offered = offer(RequestKind.EXTRA_GUEST, scene)
        if offered is not None:
            return offered
    wish = MakeRequest(RequestKind.BOOKING_CHANGE, scene.turn.text, scene.booking_id)
    return Part(scene.phrases.say("booking_change"), (wish,))


def _wants_one_more_guest(text: str) -> bool:
    """Whether that is all they want: with a number, a date or an "and" in it, the desk reads it."""
    is_plain = not re.search(r"\d", text) and not says(Saying.BESIDES, text)
    return is_plain and affirms(Saying.EXTRA_GUEST, text)


def _cancel(scene: Scene) -> Part:
    wish = MakeRequest(RequestKind.BOOKING_CANCEL, scene.turn.text, scene.booking_id)
    return Part(scene.phrases.say("booking_cancel"), (wish,))


def _new(scene: Scene) -> Part:
    wish = MakeRequest(RequestKind.NEW_BOOKING, scene.turn.text)
    return Part(scene.phrases.say("new_booking"), (wish,))


_ANSWERS: Final[Mapping[Intent, Callable[[Scene], Part]]] = {
    Intent.EARLY_CHECKIN: _early_checkin,
    Intent.LATE_CHECKOUT: _late_checkout,
    Intent.TRANSPORT: _transfer,
    Intent.BOOKING_STATUS: status,
    Intent.BOOKING_CHANGE: _change,
    Intent.BOOKING_CANCEL: _cancel,
    Intent.NEW_BOOKING: _new,
}

"""One turn of a conversation: what an agent is given, and what it gives back.

Agents are pure: all that they know is in the :class:`Turn`, and all that is to happen besides the
reply is said as effects, which `app.work` carries out in the transaction that answers the message.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from app.conversation.intent import Intent
from app.conversation.language import Language
from app.guests.booking import Booking
from app.guests.request import RequestKind
from app.messages.outgoing import Choice


class Agent(StrEnum):
    """Who answers."""

    CONCIERGE = "concierge"
    BOOKING = "booking"
    CHECKOUT = "checkout"
    EMERGENCY = "emergency"


@dataclass(frozen=True)
class Offer:
    """What the guest was offered last and hasn't answered yet: what a "yes" is about.

    ``price`` is in ``currency`` (ISO 4217); 0 is free of charge.
    """

    request_id: int
    kind: RequestKind
    price: Decimal
    currency: str


@dataclass(frozen=True)
class Turn:
    """A guest's message and what is known around it.

    ``now`` is aware. ``topic`` is what the last answer was about, if that was lately. ``bookings``
    are those not ended or cancelled, the running or next one first.
    """

    text: str
    now: datetime
    choice_id: str | None = None
    media: tuple[str, ...] = ()
    known_language: Language | None = None
    topic: Intent | None = None
    bookings: tuple[Booking, ...] = ()
    offer: Offer | None = None


@dataclass(frozen=True)
class CallPerson:
    """Tell the desk. ``silence``: the bot says nothing more until a person gives the guest back."""

    reason: Intent
    urgent: bool = False
    silence: bool = False


@dataclass(frozen=True)
class MakeRequest:
    """Write a request for the desk; with a price it is an offer that the guest may accept.

    ``detail`` is what the guest wrote. ``price`` is in ``currency`` (ISO 4217), for a night where
    the kind is an extra guest; 0 is an offer free of charge, None leaves it to the desk.
    """

    kind: RequestKind
    detail: str
    booking_id: int | None = None
    price: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True)
class CloseOffer:
    """The guest took an offer, or declined it."""

    request_id: int
    accepted: bool


@dataclass(frozen=True)
class SetConsent:
    """The guest wants to hear from us again, or no more."""

    given: bool


@dataclass(frozen=True)
class EndStay:
    """The guest has left."""

    booking_id: int


Effect: TypeAlias = CallPerson | MakeRequest | CloseOffer | SetConsent | EndStay


@dataclass(frozen=True)
class Reply:
    """What is said, and what is to happen. An empty ``text`` says nothing.

    ``intents`` are those answered, the main one first; ``score`` is how sure the brain was of it,
    0 to 1, and 1 where the very words decide. ``language_is_told``: the message or what was known
    told the language; else it is only the property's own, and nothing to remember about this guest.
    """

    text: str
    language: Language
    agent: Agent
    intents: tuple[Intent, ...]
    score: float
    choices: tuple[Choice, ...] = ()
    effects: tuple[Effect, ...] = ()
    language_is_told: bool = True

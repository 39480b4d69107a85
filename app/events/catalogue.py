"""What the cloud is told: each event by its name, with the schema of its payload.

No payload has a guest's phone, name, mail or words: the cloud knows guests by their blind index,
which stands beside the payload. ``docs/events.md`` is made from this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

# What tools at the property tell of their own begins with this, and has no schema of ours.
CUSTOM: Final = "custom."
NAME_PATTERN: Final = r"^custom\.[a-z0-9_]+(\.[a-z0-9_]+)*$"


class Payload(BaseModel):
    """The payload of an event of ours: nothing but what its schema names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MessageReceived(Payload):
    """What kind of message it was, and when it came in; nothing of what it says."""

    inbox_id: int
    received_at: datetime
    media: tuple[str, ...] = Field((), description="Kinds of what was attached: image, audio …")


class MessageAnswered(Payload):
    """What the guest was understood to want."""

    inbox_id: int
    intents: tuple[str, ...] = Field(description="The main one first.")
    score: float = Field(description="How sure the brain was of the main one, 0 to 1.")
    language: str = Field(description="ISO 639-1, of the answer.")
    agent: str
    silent: bool = Field(description="The bot said nothing: a person speaks, or consent is gone.")


class MessageMoved(Payload):
    """How far one message of ours got."""

    outbox_id: int
    kind: str = Field(description="reply, confirmation, emergency, person, notice or desk.")
    template: str | None = None
    sent_as: str | None = Field(None, description="text or template: what it costs goes by that.")
    language: str
    purpose: str | None = Field(None, description="The template's: service or marketing.")
    country: str | None = Field(None, description="ISO 3166, by the first digits of the phone.")
    rule: str | None = Field(None, description="The rule of sending that refused it.")


class GuestKnown(Payload):
    """What is known of a guest that says nothing of who they are."""

    changed: tuple[str, ...] = Field(description="Names of the fields that are new, no values.")
    language: str | None = Field(None, description="ISO 639-1.")
    time_zone: str | None = None
    consent: str = Field(description="unknown, given or withdrawn.")


class GuestErased(Payload):
    """Nothing but that it happened: the cloud forgets the guest too."""


class BookingKnown(Payload):
    """A booking as it stands."""

    booking_id: int
    changed: tuple[str, ...] = Field(description="Names of the fields that are new.")
    channel: str
    code: str = Field(description="The channel's number of it.")
    status: str
    unit: str | None = None
    arrival: date | None = None
    departure: date | None = None
    party: int | None = None
    flight_number: str | None = None


class RequestMade(Payload):
    """What a guest asks for, or was offered, as it stands."""

    request_id: int
    kind: str
    booking_id: int | None = None
    price: Decimal | None = None
    currency: str | None = Field(None, description="ISO 4217.")


class RequestClosed(RequestMade):
    """The same, once the desk saw to it."""

    outcome: Literal["done", "refused"]


class ConversationHandedOver(Payload):
    """The bot leaves a guest to a person."""

    reason: str | None = Field(None, description="The intent that called for a person.")


class ConversationGivenBack(Payload):
    """The bot answers again."""


class EmergencyRaised(Payload):
    """A guest wrote of an emergency; the people at the desk were alerted."""

    inbox_id: int


class CommandFinished(Payload):
    """What came of a command of the cloud's."""

    id: str
    state: Literal["done", "failed"]
    result: dict[str, Any] | None = None
    error: Any = None


class Custom(RootModel[dict[str, Any]]):
    """Any JSON object."""


@dataclass(frozen=True)
class EventKind:
    """One name: its payload, when it is written, and what of it is personal, and why."""

    payload: type[BaseModel]
    when: str
    personal: str = ""


CATALOGUE: Final[Mapping[str, EventKind]] = {
    "message.received": EventKind(
        MessageReceived,
        "A guest's message is worked on, in the transaction that answers it; `received_at` is when "
        "it came in. The photos of an album are one.",
    ),
    "message.answered": EventKind(
        MessageAnswered, "The same transaction: what the answer is about, never what it says."
    ),
    "message.sent": EventKind(MessageMoved, "The provider took a message."),
    "message.delivered": EventKind(MessageMoved, "It reached the guest's phone."),
    "message.read": EventKind(MessageMoved, "The guest opened it."),
    "message.failed": EventKind(MessageMoved, "The provider can't or won't deliver it."),
    "message.refused": EventKind(MessageMoved, "A rule of sending forbids it."),
    "guest.created": EventKind(GuestKnown, "Somebody is known for the first time."),
    "guest.changed": EventKind(GuestKnown, "Something of them changed."),
    "guest.erased": EventKind(
        GuestErased,
        "All that was held about them was erased. The index under which the cloud knew them is "
        "deleted here once it is told.",
    ),
    "booking.changed": EventKind(
        BookingKnown,
        "A booking is new, changed, moved to another guest, or was cancelled.",
        "`code`: the cloud finds the booking at its channel by it. `flight_number`: the cloud "
        "watches the flight.",
    ),
    "stay.ended": EventKind(
        BookingKnown,
        "The guest has left.",
        "`code` and `flight_number`, as above.",
    ),
    "request.made": EventKind(RequestMade, "A guest asks the desk for something."),
    "request.closed": EventKind(RequestClosed, "The desk saw to it."),
    "offer.made": EventKind(RequestMade, "A guest was offered something at a price."),
    "offer.accepted": EventKind(RequestMade, "They took it."),
    "offer.declined": EventKind(RequestMade, "They didn't want it."),
    "offer.expired": EventKind(RequestMade, "They never said."),
    "conversation.handed_over": EventKind(
        ConversationHandedOver, "The bot is silent; a person is to answer, or has taken over."
    ),
    "conversation.given_back": EventKind(ConversationGivenBack, "The bot answers again."),
    "emergency.raised": EventKind(EmergencyRaised, "An emergency was recognised."),
    "command.finished": EventKind(
        CommandFinished,
        "A command of the cloud's is done, or has failed; in the transaction that finishes it.",
        "`result` is what the cloud asked for.",
    ),
}


def payload_of(name: str) -> type[BaseModel]:
    """The schema of an event's payload. Raises KeyError for a name that is nobody's."""
    return Custom if name.startswith(CUSTOM) else CATALOGUE[name].payload

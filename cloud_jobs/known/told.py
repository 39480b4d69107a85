"""The desk's events as docs/events.md has them, of which what isn't needed here is not read.

Lengths are those of our columns: what is longer, or of a shape that the page doesn't have, is no
event of a desk that we know.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

# Of a tool's own, with whatever it likes; they are kept, and start the jobs that wait for them.
CUSTOM: Final = "custom."


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("holds a NUL, which Postgres can't keep")
    return value


_Text = Annotated[str, AfterValidator(_storable)]
Name = Annotated[_Text, Field(max_length=30)]
Key = Annotated[_Text, Field(max_length=100)]
Line = Annotated[_Text, Field(max_length=200)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
# What an INTEGER of Postgres holds.
Number = Annotated[int, Field(ge=0, lt=2**31)]
Price = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=4)]


class Told(BaseModel):
    """A payload."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Nothing(Told):
    """Of an event that is kept, and of which nothing is known afterwards."""


class GuestTold(Told):
    """``guest.created``, ``guest.changed``."""

    language: Language | None = None
    time_zone: Annotated[_Text, Field(max_length=60)] | None = None
    consent: Literal["unknown", "given", "withdrawn"]


class StayTold(Told):
    """``booking.changed``, ``stay.ended``: a booking as it stands."""

    booking_id: Number
    channel: Key
    code: Key
    status: Literal["requested", "confirmed", "cancelled", "ended"]
    unit: Line | None = None
    arrival: date | None = None
    departure: date | None = None
    party: Number | None = None
    flight_number: Key | None = None


class RequestTold(Told):
    """``request.*``, ``offer.*``: what was asked for or offered, as it stands."""

    request_id: Number
    kind: Annotated[_Text, Field(max_length=40)]
    booking_id: Number | None = None
    price: Price | None = None
    currency: Currency | None = None
    outcome: Literal["done", "refused"] | None = None


class MessageReceived(Told):
    """``message.received``."""

    inbox_id: Number
    received_at: AwareDatetime


class MessageAnswered(Told):
    """``message.answered``."""

    inbox_id: Number
    intents: tuple[Name, ...] = ()
    language: Language
    agent: Name
    silent: bool


class MessageTold(Told):
    """``message.sent`` and on: how far a message of ours got."""

    outbox_id: Number
    kind: Annotated[_Text, Field(max_length=20)]
    template: Annotated[_Text, Field(max_length=50)] | None = None
    sent_as: Literal["text", "template"] | None = None
    language: Language
    purpose: Annotated[_Text, Field(max_length=12)] | None = None
    country: Country | None = None


class CommandTold(Told):
    """``command.finished``."""

    id: Key
    state: Literal["done", "failed"]
    result: JsonValue = None
    error: JsonValue = None


BY_NAME: Final[Mapping[str, type[Told]]] = {
    "message.received": MessageReceived,
    "message.answered": MessageAnswered,
    "message.sent": MessageTold,
    "message.delivered": MessageTold,
    "message.read": MessageTold,
    "message.failed": MessageTold,
    "message.refused": MessageTold,
    "guest.created": GuestTold,
    "guest.changed": GuestTold,
    "guest.erased": Nothing,
    "booking.changed": StayTold,
    "stay.ended": StayTold,
    "request.made": RequestTold,
    "request.closed": RequestTold,
    "offer.made": RequestTold,
    "offer.accepted": RequestTold,
    "offer.declined": RequestTold,
    "offer.expired": RequestTold,
    "conversation.handed_over": Nothing,
    "conversation.given_back": Nothing,
    "emergency.raised": Nothing,
    "command.finished": CommandTold,
}

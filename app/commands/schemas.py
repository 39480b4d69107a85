"""What each command may ask for. An example of each is in docs/commands.md."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from app.commands.fields import (
    Currency,
    Email,
    FlightNumber,
    Key,
    LanguageCode,
    Line,
    Message,
    Moment,
    Money,
    Payload,
    Phone,
    TimeZone,
)
from app.guests.booking import BookingStatus
from app.guests.guest import Consent
from app.guests.request import RequestKind
from app.messages.pausing import Queue

LARGEST_BATCH = 100


class TemplateCall(Payload):
    """One of Portiere's message templates, filled in; in the guest's language."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,50}$")]
    variables: dict[Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,50}$")], Line] = Field(
        default_factory=dict, max_length=20
    )


class SendMessage(Payload):
    """A message to one guest: ``text`` as it is, or a ``template``."""

    phone: Phone
    text: Message | None = None
    template: TemplateCall | None = None
    dedupe_key: Key | None = Field(None, description="A guest gets one message of it, ever.")
    not_before: Moment | None = Field(None, description="With a UTC offset.")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.text is None) == (self.template is None):
            raise ValueError("give either text or template")
        return self


class SendBatchMessages(Payload):
    """Messages to several guests; all are queued, or none."""

    messages: tuple[SendMessage, ...] = Field(min_length=1, max_length=LARGEST_BATCH)


class TranslateAndSend(SendMessage):
    """A message that must reach the guest in their language."""


class ConsentGiven(Payload):
    """What the guest said about messages that nobody asked for, when, and where they said it."""

    state: Literal[Consent.GIVEN, Consent.WITHDRAWN]
    source: Line
    at: Moment


class CreateGuest(Payload):
    """A guest; what is left out isn't known."""

    phone: Phone
    name: Line | None = None
    email: Email | None = None
    language: LanguageCode | None = None
    time_zone: TimeZone | None = None
    consent: ConsentGiven | None = None


class UpdateGuest(CreateGuest):
    """The same of a guest who is known; what is left out stays as it is."""


class UpsertBooking(Payload):
    """A stay; ``(channel, code)`` is its name. What is left out stays as it is."""

    channel: Key
    code: Key
    status: Literal[BookingStatus.REQUESTED, BookingStatus.CONFIRMED]
    phone: Phone | None = None
    unit: Line | None = None
    arrival: date | None = None
    departure: date | None = None
    party: int | None = Field(None, ge=1, le=99)
    flight_number: FlightNumber | None = None
    balance: Money | None = None
    currency: Currency | None = None

    @model_validator(mode="after")
    def _balance_has_a_currency(self) -> Self:
        if (self.balance is None) != (self.currency is None):
            raise ValueError("give both balance and currency, or neither")
        return self


class CancelBooking(Payload):
    """The stay will not be."""

    channel: Key
    code: Key


class QueueUpsell(Payload):
    """Something at a price for the guest's stay: for the running or next one, or ``booking``."""

    phone: Phone
    kind: Literal[
        RequestKind.EARLY_CHECKIN,
        RequestKind.LATE_CHECKOUT,
        RequestKind.EXTRA_GUEST,
        RequestKind.TRANSFER,
    ]
    booking: CancelBooking | None = Field(None, description="channel and code")
    not_before: Moment | None = None


class Pause(Payload):
    """A kind of work is to stop."""

    queue: Queue
    reason: Line


class Resume(Payload):
    """It is to go on."""

    queue: Queue

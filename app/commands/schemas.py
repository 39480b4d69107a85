"""What each command may ask for. An example of each is in docs/commands.md."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from app.commands.fields import (
    Currency,
    Email,
    FlightNumber,
    GuestIndex,
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
from app.conversation.language import Language
from app.guests.booking import BookingStatus
from app.guests.guest import Consent
from app.guests.request import RequestKind
from app.messages.alerts import Channel
from app.messages.pausing import Queue

LARGEST_BATCH = 100


class About(Payload):
    """Whom it is about: by ``phone``, or by ``guest``, the blind index that events have."""

    phone: Phone | None = None
    guest: GuestIndex | None = Field(None, description="In place of the phone, as events have it.")

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.phone is None) == (self.guest is None):
            raise ValueError("give either phone or guest")
        return self


class BookingName(Payload):
    """A booking, by its channel and its number there."""

    channel: Key
    code: Key


class DateValue(Payload):
    """A day, written as the guest's language does."""

    date: date


class MomentValue(Payload):
    """A moment, written by the property's clock: the hour, and the day unless it is today."""

    moment: Moment


class MoneyValue(Payload):
    """An amount, written as the guest's language does."""

    money: Money
    currency: Currency


class LocalValue(Payload):
    """A text in each language that guests are written to in."""

    by_language: dict[Language, Line]

    @model_validator(mode="after")
    def _all_languages(self) -> Self:
        if missing := [language for language in Language if language not in self.by_language]:
            raise ValueError(f"give the text in {', '.join(missing)} too")
        return self


class TemplateCall(Payload):
    """One of Portiere's message templates, filled in; in the guest's language.

    What isn't given is filled in from what the desk knows of the guest and the booking.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,50}$")]
    variables: dict[
        Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,50}$")],
        Line | DateValue | MomentValue | MoneyValue | LocalValue,
    ] = Field(default_factory=dict, max_length=20)


class SendMessage(About):
    """A message to one guest: ``text`` as it is, or a ``template``."""

    text: Message | None = None
    template: TemplateCall | None = None
    booking: BookingName | None = Field(
        None, description="Which stay a template speaks of; else the guest's running or next one."
    )
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


class GuestFacts(Payload):
    """What may be known of a guest."""

    name: Line | None = None
    email: Email | None = None
    language: LanguageCode | None = None
    time_zone: TimeZone | None = None
    consent: ConsentGiven | None = None


class CreateGuest(GuestFacts):
    """A guest; what is left out isn't known."""

    phone: Phone


class UpdateGuest(GuestFacts, About):
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


class CancelBooking(BookingName):
    """The stay will not be."""


class QueueUpsell(About):
    """Something at a price for the guest's stay: for the running or next one, or ``booking``."""

    kind: Literal[
        RequestKind.EARLY_CHECKIN,
        RequestKind.LATE_CHECKOUT,
        RequestKind.EXTRA_GUEST,
        RequestKind.TRANSFER,
    ]
    booking: BookingName | None = Field(None, description="channel and code")
    not_before: Moment | None = None


class Pause(Payload):
    """A kind of work is to stop."""

    queue: Queue
    reason: Line


class Resume(Payload):
    """It is to go on."""

    queue: Queue


class AlertDesk(Payload):
    """The people at the desk are to know something, by those of their ``channels``."""

    key: Key = Field(description="They are told once of it, ever.")
    kind: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
    text: Message
    urgent: bool = False
    channels: tuple[Channel, ...] | None = Field(
        None, description="Of those that the host has configured; all of them if left out."
    )

"""Guests and bookings as JSON, an object a line: what people and other programs hand in and get."""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Self, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from app.guests.booking import Booking, BookingStatus
from app.guests.guest import Consent, Guest
from app.guests.phones import possible_e164

Phone = Annotated[str, AfterValidator(possible_e164)]
Said = Annotated[str, Field(min_length=1, max_length=200)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Line = TypeVar("Line", bound=BaseModel)


class LineError(Exception):
    """A line can't be used; the message names it and the field, without what was in it."""


class GuestLine(BaseModel):
    """A guest; the fields of :class:`app.guests.guest.Guest`."""

    model_config = ConfigDict(extra="forbid")

    phone: Phone
    name: Said | None = None
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)] | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")] | None = None
    time_zone: ZoneInfo | None = None
    consent: Consent = Consent.UNKNOWN
    consent_source: Said | None = None
    consent_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _consent_can_be_shown(self) -> Self:
        known = self.consent is not Consent.UNKNOWN
        if known and (self.consent_source is None or self.consent_at is None):
            raise ValueError("consent needs consent_source and consent_at: where and when it was")
        return self

    def guest(self) -> Guest:
        """The guest of a line."""
        return Guest(**vars(self))


class BookingLine(BaseModel):
    """A booking; the fields of :class:`app.guests.booking.Booking`."""

    model_config = ConfigDict(extra="forbid")

    channel: Said
    code: Said
    status: BookingStatus
    phone: Phone | None = None
    unit: Said | None = None
    arrival: date | None = None
    departure: date | None = None
    party: Annotated[int, Field(ge=1)] | None = None
    flight_number: Said | None = None
    balance: Annotated[Decimal, Field(ge=0)] | None = None
    currency: Currency | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.arrival and self.departure and self.departure <= self.arrival:
            raise ValueError("departure must be after arrival")
        if self.balance is not None and self.currency is None:
            raise ValueError("balance needs currency, like EUR")
        return self

    def booking(self) -> Booking:
        """The booking of a line."""
        return Booking(**vars(self))


def read(lines: Iterable[str], kind: type[Line]) -> Iterator[Line]:
    """The objects of the lines that aren't blank. Raises :class:`LineError` at a bad one."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield kind.model_validate_json(line)
        except ValidationError as error:
            raise LineError(f"line {number}: {_explain(error)}") from None


def write(booking: Booking) -> str:
    """The line of a booking: :func:`read` makes the same booking of it."""
    fields = {field: value for field, value in vars(booking).items() if field != "booking_id"}
    return BookingLine.model_construct(**fields).model_dump_json(exclude_none=True)


def _explain(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message

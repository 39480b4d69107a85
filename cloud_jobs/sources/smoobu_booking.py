"""A reservation as Smoobu writes it, and what of it matters to us.

Their field names have hyphens, a field may be null or missing, a flag a word. What can't be (a
30th of February, a phone without its country) is None: it isn't known, and the rest still counts.
Only a booking without its number is none.
"""

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cloud_jobs.mail import people
from cloud_jobs.mail.dates import in_order

# Channels of Smoobu's own: nights that the host keeps free, and what guests book with the host.
BLOCKED: Final = 11
DIRECT: Final = 13
CANCELLED: Final = "cancellation"
_LONGEST: Final = 200
_MOST: Final = 99
_CENT: Final = Decimal("0.01")
_LARGEST_PRICE: Final = Decimal(10_000_000)


def _text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return " ".join(str(value).replace("\0", " ").split())[:_LONGEST] or None


def _day(value: object) -> date | None:
    try:
        day = date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
    return day if day and day.year > 2000 else None


def _clock(value: object) -> str | None:
    """Their local time to the second, so that texts compare as moments do."""
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment and moment.year > 2000 else None


def _number(value: object) -> int | None:
    text = _text(value) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def _amount(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        amount = Decimal(str(value)).quantize(_CENT)
    except InvalidOperation:
        return None
    return amount if 0 <= amount < _LARGEST_PRICE else None


def _flag(value: object) -> bool:
    """``"Yes"``, or JSON's own."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "yes")


def _part(value: object) -> object:
    return value if isinstance(value, dict) else {}


Text = Annotated[str | None, BeforeValidator(_text)]
Day = Annotated[date | None, BeforeValidator(_day)]
Clock = Annotated[str | None, BeforeValidator(_clock)]
Number = Annotated[int | None, BeforeValidator(_number)]
Amount = Annotated[Decimal | None, BeforeValidator(_amount)]
Flag = Annotated[bool, BeforeValidator(_flag)]


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Named(_Read):
    """An apartment, or a channel."""

    id: Number = None
    name: Text = None


class Booking(_Read):
    """One reservation; who the guest is isn't in its repr."""

    id: Annotated[int, Field(gt=0, lt=2**31)]
    reference_id: Text = Field(None, alias="reference-id")
    type: Text = None
    arrival: Day = None
    departure: Day = None
    created_at: Clock = Field(None, alias="created-at")
    modified_at: Clock = Field(None, alias="modifiedAt")
    apartment: Annotated[Named, BeforeValidator(_part)] = Named()
    channel: Annotated[Named, BeforeValidator(_part)] = Named()
    guest_name: Text = Field(None, alias="guest-name", repr=False)
    firstname: Text = Field(None, repr=False)
    lastname: Text = Field(None, repr=False)
    email: Text = Field(None, repr=False)
    phone: Text = Field(None, repr=False)
    adults: Number = None
    children: Number = None
    price: Amount = None
    price_paid: Flag = Field(False, alias="price-paid")
    prepayment: Amount = None
    prepayment_paid: Flag = Field(False, alias="prepayment-paid")
    language: Text = None
    is_blocked_booking: Flag = Field(False, alias="is-blocked-booking")

    @property
    def is_blocked(self) -> bool:
        """Whether it is the host's own mark in the calendar, and no guest's booking."""
        return self.is_blocked_booking or self.channel.id == BLOCKED

    @property
    def is_cancelled(self) -> bool:
        """Whether Smoobu says so of the booking itself."""
        return self.type == CANCELLED

    @property
    def changed_at(self) -> str:
        """When it last changed, by the account's clock; empty if Smoobu doesn't say."""
        return self.modified_at or self.created_at or ""

    @property
    def stay(self) -> tuple[date | None, date | None]:
        """Arrival and departure; neither, if the one would not be before the other."""
        return in_order(self.arrival, self.departure)

    @property
    def name_of_guest(self) -> str | None:
        """Some channels fill in the one field, some the two others."""
        parts = " ".join(part for part in (self.firstname, self.lastname) if part)
        return people.name(self.guest_name) or people.name(parts)

    @property
    def party(self) -> int | None:
        """How many come; None if nobody would."""
        if self.adults is None:
            return None
        party = self.adults + (self.children or 0)
        return party if 0 < party <= _MOST else None

    @property
    def balance(self) -> Decimal | None:
        """What the guest still owes the host; None where the channel takes the money."""
        if self.channel.id != DIRECT or self.price is None:
            return None
        if self.price_paid:
            return Decimal(0)
        paid = self.prepayment if self.prepayment_paid else None
        return max(self.price - (paid or Decimal(0)), Decimal(0))

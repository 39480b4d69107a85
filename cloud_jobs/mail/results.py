"""What a mail turns out to be: one of three, and never an exception."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

BOOKING_COM = "booking.com"
AIRBNB = "airbnb"
VRBO = "vrbo"
EXPEDIA = "expedia"
SMOOBU = "smoobu"
SCIDOO = "scidoo"


class Kind(StrEnum):
    NEW = "new"
    CHANGED = "changed"
    CANCELLED = "cancelled"


class Nothing(StrEnum):
    """Why a mail is no reservation, though nobody need look at it for that."""

    UNKNOWN_SENDER = "unknown_sender"
    GUEST_MESSAGE = "guest_message"
    VERIFICATION_CODE = "verification_code"
    NOTICE = "notice"


class Doubt(StrEnum):
    """Why a person has to look. The mail is to be kept whole for them."""

    TOO_BIG = "too_big"
    UNREADABLE = "unreadable"
    LOOKALIKE = "lookalike"
    NOT_AUTHENTICATED = "not_authenticated"
    UNKNOWN_KIND = "unknown_kind"
    NO_CODE = "no_code"
    CONTRADICTION = "contradiction"


@dataclass(frozen=True)
class Reservation:
    """One stay as one mail tells of it. ``(numbered_by, code)`` is its name.

    What the mail doesn't say, says twice in different ways, or gives as a date that can't be, is
    None. ``channel`` is where the guest booked; ``numbered_by`` is whose number ``code`` is: the
    same, but for Smoobu's mails, which have only Smoobu's own. ``language`` is the guest's, which
    few mails tell; ``mail_language`` is the desk's own. ``received_at`` is aware. Who the guest is
    isn't in the repr, so it can't get into a log by it.
    """

    channel: str
    numbered_by: str
    code: str
    kind: Kind
    mail_language: str
    guest_name: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    unit: str | None = None
    arrival: date | None = None
    departure: date | None = None
    party: int | None = None
    language: str | None = None
    price: Decimal | None = None
    currency: str | None = None
    received_at: datetime | None = None

    @property
    def thin(self) -> bool:
        """Whether somebody else has to say who comes, or from when to when."""
        return None in {self.guest_name, self.arrival, self.departure}


@dataclass(frozen=True)
class NotAReservation:
    """``text``, ``channel`` and ``code`` only of a guest's message; ``code`` where it is named."""

    reason: Nothing
    channel: str | None = None
    code: str | None = None
    text: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ForAPerson:
    reason: Doubt


Result = Reservation | NotAReservation | ForAPerson

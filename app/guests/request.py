"""What a guest asks of the desk, or is offered by it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class RequestKind(StrEnum):
    """What is asked for."""

    EARLY_CHECKIN = "early_checkin"
    LATE_CHECKOUT = "late_checkout"
    EXTRA_GUEST = "extra_guest"
    TRANSFER = "transfer"
    LUGGAGE = "luggage"
    BOOKING_CHANGE = "booking_change"
    BOOKING_CANCEL = "booking_cancel"
    NEW_BOOKING = "new_booking"
    INVOICE = "invoice"
    FEEDBACK = "feedback"


class RequestState(StrEnum):
    """``offered → accepted | declined | expired``; what the desk must see to is
    ``accepted`` or ``open``, then ``done`` or ``refused``."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    OPEN = "open"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True)
class Request:
    """One request. ``detail`` is what the guest wrote; ``price`` is in ``currency`` (ISO 4217)."""

    request_id: int
    kind: RequestKind
    state: RequestState
    phone: str
    detail: str
    created_at: datetime
    booking_id: int | None = None
    price: Decimal | None = None
    currency: str | None = None
    expires_at: datetime | None = None

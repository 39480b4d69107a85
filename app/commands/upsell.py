"""QUEUE_UPSELL: an offer at the host's own price, at most once for each stay and kind."""

from datetime import UTC, datetime, timedelta
from typing import Final

from app.commands.filling import Value, fill
from app.commands.office import Done, Office, Order, RefusedError
from app.commands.schemas import MoneyValue, QueueUpsell, TemplateCall
from app.commands.whom import booking_of, guest_of, language_of
from app.conversation.agents.offers import price_of
from app.conversation.phrases import bundled
from app.guests.booking import Booking, BookingStatus
from app.guests.guest import Consent, Guest
from app.guests.request import RequestKind, RequestState
from app.guests.requests import NewRequest
from app.messages.outbox import Draft
from app.messages.outgoing import Kind
from app.store.database import Connection

# A night's quiet hours may pass before it goes, and a guest thinks a day about it.
OFFER_STANDS: Final = timedelta(hours=36)
_TEMPLATE: Final = "upsell_offer"
_OPEN: Final = (BookingStatus.REQUESTED, BookingStatus.CONFIRMED)


def queue_upsell(
    office: Office, connection: Connection, order: Order, payload: QueueUpsell
) -> Done:
    """Write the offer and queue the message that makes it.

    Refused where the message could not go or a "yes" would be about something else: then there
    must be no offer either.
    """
    price, currency = price_of(payload.kind, office.facts), office.facts.currency
    if price is None or currency is None:
        raise RefusedError("not_offered", "property.yml has no price for this kind")
    guest = guest_of(office, payload)
    booking = _stay(office, connection, payload, guest.phone)
    _refuse_if_unwanted(office, connection, payload.kind, guest, booking)
    language = language_of(office, guest)
    offer = bundled()[language].say(f"topic_{payload.kind}")
    values: dict[str, Value] = {"offer": offer, "price": MoneyValue(money=price, currency=currency)}
    call = TemplateCall(name=_TEMPLATE, variables=values)
    message = fill(office, call, guest, booking, language)
    goes_at = max(payload.not_before or datetime.now(UTC), datetime.now(UTC))
    request_id = office.requests.make(
        connection,
        NewRequest(
            kind=payload.kind,
            phone=guest.phone,
            detail=message.text,
            state=RequestState.OFFERED,
            booking_id=booking.booking_id,
            price=price,
            currency=currency,
            expires_at=goes_at + OFFER_STANDS,
        ),
    )
    outbox_id = office.outbox.add(
        connection,
        Draft(
            key=f"command:{order.command_id}",
            phone=guest.phone,
            kind=Kind.NOTICE,
            message=message,
            language=language,
            dedupe_key=f"upsell:{payload.kind}:{booking.booking_id}",
            not_before=payload.not_before,
        ),
    )
    if outbox_id is None:
        raise RefusedError("done_before", "a message of this command's id is in the outbox already")
    return Done({"queued": [outbox_id], "request_id": request_id}, (outbox_id,))


def _stay(office: Office, connection: Connection, payload: QueueUpsell, phone: str) -> Booking:
    if payload.booking is not None:
        found = booking_of(office, connection, phone, payload.booking)
        if found.status not in _OPEN:
            raise RefusedError("no_stay", "this booking is over, or was cancelled")
        return found
    today = datetime.now(office.facts.time_zone).date()
    stays = office.bookings.of_guest(phone, today)
    if not stays:
        raise RefusedError("no_stay", "the guest has no open booking")
    return stays[0]


def _refuse_if_unwanted(
    office: Office, connection: Connection, kind: RequestKind, guest: Guest, booking: Booking
) -> None:
    if guest.consent is not Consent.GIVEN:
        raise RefusedError("no_consent", "an offer needs the guest's consent")
    if booking.booking_id is not None and office.requests.had(connection, booking.booking_id, kind):
        raise RefusedError("offered_before", "this was offered or asked for in this stay already")
    if office.requests.open_offer(guest.phone) is not None:
        raise RefusedError("another_offer", "another offer stands: a yes would be about both")

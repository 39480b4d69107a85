"""What an answer brings about besides itself, carried out in the transaction that writes it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.conversation import alerting
from app.conversation.alerting import Alert
from app.conversation.turn import (
    CallPerson,
    CloseOffer,
    Effect,
    EndStay,
    MakeRequest,
    SetConsent,
)
from app.guests.guest import Consent
from app.guests.request import RequestState
from app.guests.requests import NewRequest
from app.store.database import Connection
from app.work.desk import Desk

# An offer not answered by then is not meant any more.
OFFER_STANDS = timedelta(hours=24)
# A guest who writes five lines calls the desk once.
ONE_CALL_IN = timedelta(minutes=10)


@dataclass(frozen=True)
class Caller:
    """The guest whose message this is about, and the inbox row it came in."""

    guest: bytes
    phone: str
    text: str
    inbox_id: int


def carry_out(
    desk: Desk, connection: Connection, caller: Caller, effects: tuple[Effect, ...]
) -> None:
    """Carry out each of ``effects``."""
    for effect in effects:
        match effect:
            case CallPerson():
                _call_person(desk, connection, caller, effect)
            case MakeRequest():
                _make_request(desk, connection, caller, effect)
            case CloseOffer():
                _close_offer(desk, connection, caller, effect)
            case SetConsent(given=given):
                consent = Consent.GIVEN if given else Consent.WITHDRAWN
                desk.guests.set_consent(connection, caller.phone, consent, "whatsapp")
            case EndStay(booking_id=booking_id):
                desk.bookings.end(connection, booking_id)


def _call_person(desk: Desk, connection: Connection, caller: Caller, effect: CallPerson) -> None:
    if effect.silence:
        desk.conversations.hand_over(connection, caller.guest, effect.reason)
    window = int(datetime.now(UTC).timestamp() // ONE_CALL_IN.total_seconds())
    if effect.urgent:
        told = {"inbox_id": caller.inbox_id}
        desk.events.record(connection, "emergency.raised", told, caller.guest)
    alert = Alert.EMERGENCY if effect.urgent else Alert.PERSON_WANTED
    # Each emergency calls; of the rest one message in a while.
    often = str(caller.inbox_id) if effect.urgent else f"{caller.guest.hex()[:16]}:{window}"
    _tell(desk, connection, caller, alert, often, urgent=effect.urgent)


def _make_request(desk: Desk, connection: Connection, caller: Caller, effect: MakeRequest) -> None:
    offered = effect.price is not None
    request_id = desk.requests.make(
        connection,
        NewRequest(
            kind=effect.kind,
            phone=caller.phone,
            detail=effect.detail,
            state=RequestState.OFFERED if offered else RequestState.OPEN,
            booking_id=effect.booking_id,
            inbox_id=caller.inbox_id,
            price=effect.price,
            currency=effect.currency,
            expires_at=datetime.now(UTC) + OFFER_STANDS if offered else None,
        ),
    )
    if not offered:
        _tell(desk, connection, caller, Alert.REQUEST, str(request_id))


def _close_offer(desk: Desk, connection: Connection, caller: Caller, effect: CloseOffer) -> None:
    if not effect.accepted:
        desk.requests.decline(connection, effect.request_id)
    elif desk.requests.accept(connection, effect.request_id):
        _tell(desk, connection, caller, Alert.ACCEPTED, str(effect.request_id))


def _tell(  # noqa: PLR0913 - an alert has so many parts
    desk: Desk,
    connection: Connection,
    caller: Caller,
    alert: Alert,
    about: str,
    *,
    urgent: bool = False,
) -> None:
    known = desk.guests.find(caller.phone)
    text = alerting.text(
        alert,
        desk.facts.default_language,
        who=alerting.who(known.name if known else None, caller.phone),
        said=caller.text,
    )
    desk.alerts.raise_alert(
        connection,
        key=f"{alert}:{about}",
        kind=alert,
        guest=caller.guest,
        text=text,
        urgent=urgent,
    )

"""What one event changes in what is known.

Events come in any order: when each happened decides, and of two of one millisecond the one that
goes further, or else the one that comes later (the desk tells in its order). Every rule here is a
greatest or a least of something, so all orders end alike.
"""

from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from cloud_jobs.known import stays
from cloud_jobs.known.told import (
    GuestTold,
    MessageAnswered,
    MessageReceived,
    MessageTold,
    RequestTold,
    StayTold,
)
from cloud_jobs.store.base import Base
from cloud_jobs.store.known import KnownGuest, KnownMessage, KnownRequest, KnownStay, KnownTurn

R = TypeVar("R", bound=Base)

REQUESTS: Final = {
    "request.made": "made",
    "offer.made": "offered",
    "offer.accepted": "accepted",
    "offer.declined": "declined",
    "offer.expired": "expired",
    "request.closed": "closed",
}
OFFERED: Final = frozenset(name for name in REQUESTS if name.startswith("offer."))
# How far a state is, to tell two of one millisecond apart.
_REQUEST_RANK: Final = ("made", "offered", "expired", "declined", "accepted", "closed")
_MESSAGE_RANK: Final = ("sent", "delivered", "read", "failed", "refused")
_LONGEST_FLIGHT: Final = 10


def fold_guest(session: Session, guest: str, told: GuestTold, at: datetime) -> None:
    """``guest.created``, ``guest.changed``."""
    row = _find(session, KnownGuest, guest)
    if row is None:
        row = KnownGuest(guest=guest, known_at=at, told_at=at)
        session.add(row)
    elif at < row.told_at:
        row.known_at = min(row.known_at, at)
        return
    row.told_at = at
    row.language, row.time_zone, row.consent = told.language, told.time_zone, told.consent


def fold_stay(session: Session, guest: str | None, told: StayTold, at: datetime) -> None:
    """``booking.changed``, ``stay.ended``."""
    row = _find(session, KnownStay, (told.channel, told.code))
    if row is None:
        row = KnownStay(channel=told.channel, code=told.code, booked_at=at, told_at=at)
        session.add(row)
    elif at < row.told_at:
        row.booked_at = min(row.booked_at, at)
        return
    row.told_at, row.guest, row.booking_id = at, guest, told.booking_id
    row.status, row.unit, row.party = told.status, told.unit, told.party
    row.arrival, row.departure = told.arrival, told.departure
    row.flight_number = _flight(told.flight_number)


def fold_request(
    session: Session, guest: str | None, state: str, told: RequestTold, at: datetime
) -> None:
    """``request.*``, ``offer.*``; ``state`` is of :data:`REQUESTS`."""
    row = _find(session, KnownRequest, told.request_id)
    offered = state in {"offered", "accepted", "declined", "expired"}
    if row is None:
        row = KnownRequest(request_id=told.request_id, made_at=at, was_offered=offered)
        session.add(row)
    else:
        row.made_at = min(row.made_at, at)
        row.was_offered = row.was_offered or offered
        if not _is_further((at, state), (row.told_at, row.state), _REQUEST_RANK):
            return
    row.told_at, row.guest, row.state, row.kind = at, guest, state, told.kind
    row.booking_id, row.outcome = told.booking_id, told.outcome
    row.price, row.currency = told.price, told.currency


def fold_received(session: Session, guest: str | None, told: MessageReceived) -> None:
    """``message.received``."""
    row = _turn(session, told.inbox_id)
    row.guest, row.received_at = guest, told.received_at


def fold_answered(session: Session, guest: str | None, told: MessageAnswered, at: datetime) -> None:
    """``message.answered``."""
    row = _turn(session, told.inbox_id)
    row.guest, row.answered_at = guest, at
    row.intent = told.intents[0] if told.intents else None
    row.language, row.agent, row.silent = told.language, told.agent, told.silent


def fold_message(
    session: Session, guest: str | None, state: str, told: MessageTold, at: datetime
) -> None:
    """``message.sent`` and on; ``state`` is the end of the name."""
    row = _find(session, KnownMessage, told.outbox_id)
    if row is None:
        row = KnownMessage(outbox_id=told.outbox_id)
        session.add(row)
    elif not _is_further((at, state), (row.told_at, row.state), _MESSAGE_RANK):
        return
    row.told_at, row.guest, row.state, row.kind = at, guest, state, told.kind
    row.template, row.sent_as, row.language = told.template, told.sent_as, told.language
    row.purpose, row.country = told.purpose, told.country


def _find(session: Session, table: type[R], key: Any) -> R | None:
    """The row, which nobody else changes until the transaction is over.

    Much is told of one thing at once (received and answered; sent, delivered, read): a row that was
    made for the first of it is at hand, and is written once.
    """
    wanted = key if isinstance(key, tuple) else (key,)
    mapper = inspect(table)
    for row in session.new:
        if isinstance(row, table) and tuple(mapper.primary_key_from_instance(row)) == wanted:
            return row
    return session.get(table, key, with_for_update=True)


def _turn(session: Session, inbox_id: int) -> KnownTurn:
    row = _find(session, KnownTurn, inbox_id)
    if row is None:
        row = KnownTurn(inbox_id=inbox_id)
        session.add(row)
    return row


def _is_further(
    new: tuple[datetime, str], held: tuple[datetime, str], rank: tuple[str, ...]
) -> bool:
    return (new[0], rank.index(new[1])) >= (held[0], rank.index(held[1]))


def _flight(number: str | None) -> str | None:
    """As it is looked up; what is too long to be a flight's number is none."""
    key = stays.flight_key(number or "")
    return key if 0 < len(key) <= _LONGEST_FLIGHT else None

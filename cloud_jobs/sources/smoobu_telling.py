"""What is new in what Smoobu tells of a booking, and what the booking is called elsewhere."""

import hmac
import json
import re
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from cloud_jobs.known.reservation import Change, ReservationTold
from cloud_jobs.mail import people
from cloud_jobs.mail.results import AIRBNB, BOOKING_COM, EXPEDIA, SMOOBU, VRBO
from cloud_jobs.mail.words import fold
from cloud_jobs.runtime.job import Payload
from cloud_jobs.settings import CloudSettings
from cloud_jobs.sources.smoobu_booking import Booking
from cloud_jobs.store.known import KnownStay
from cloud_jobs.store.sources import SmoobuBooking, ToldBooking

DIRECT: Final = "direct"
# As channels are called in Smoobu, folded; others are called as there, in letters for machines.
_CHANNELS: Final = {
    "booking com": BOOKING_COM,
    "booking": BOOKING_COM,
    "airbnb": AIRBNB,
    "vrbo": VRBO,
    "homeaway": VRBO,
    "expedia": EXPEDIA,
    "expedia com": EXPEDIA,
    "direct booking": DIRECT,
    "direct": DIRECT,
    "homepage": DIRECT,
    "website": DIRECT,
}
# What the desk takes as a channel or a number.
_KEY: Final = re.compile(r"[A-Za-z0-9._:-]{1,100}")
# The poll finds bookings of any age: one that was made longer ago is no new one to welcome.
NEW_FOR: Final = timedelta(days=2)


class Came(Payload):
    """A booking as it came; whether Smoobu says that it is new, or is gone."""

    booking: Booking
    is_new: bool = False
    is_gone: bool = False


class News(Payload):
    """What to tell of a booking, and what the row that remembers it is to hold."""

    told: ReservationTold
    modified_at: str
    digest: str


def news(session: Session, settings: CloudSettings, came: Came, now: datetime) -> News | None:
    """What is new in a booking; None if it was told already, is older, or blocks nights."""
    booking = came.booking
    before = session.get(SmoobuBooking, booking.id)
    known_at = before.modified_at if before else ""
    # Of what is deleted there may be no more than the number: then it is the newest there is.
    modified_at = booking.changed_at or known_at
    if booking.is_blocked or modified_at < known_at or _is_erased(before):
        return None
    name = (before.channel, before.code) if before else _name(session, booking)
    told = _told(settings, booking, name, _change(settings, came, before, now), now)
    digest = _digest(settings, told)
    if before is not None and before.digest == digest:
        return None
    return News(told=told, modified_at=modified_at, digest=digest)


def remember(session: Session, smoobu_id: int, newest: News, now: datetime) -> None:
    """Keep what is told of a booking, in the transaction that decides it."""
    session.merge(
        SmoobuBooking(
            smoobu_id=smoobu_id,
            channel=newest.told.channel,
            code=newest.told.code,
            modified_at=newest.modified_at,
            digest=newest.digest,
            told_at=now,
        )
    )


def _is_erased(before: SmoobuBooking | None) -> bool:
    """Whether its guest was, by `cloud_jobs.known.erasing`: what Smoobu still has stays there."""
    return before is not None and before.code == f"erased-{before.smoobu_id}"


def _change(
    settings: CloudSettings, came: Came, before: SmoobuBooking | None, now: datetime
) -> Change:
    if came.is_gone or came.booking.is_cancelled:
        return Change.CANCELLED
    if before is not None:
        return Change.CHANGED
    made = came.booking.created_at
    is_recent = made is not None and now - _moment(settings, made) < NEW_FOR
    return Change.NEW if came.is_new or is_recent else Change.CHANGED


def _told(
    settings: CloudSettings,
    booking: Booking,
    name: tuple[str, str],
    change: Change,
    now: datetime,
) -> ReservationTold:
    arrival, departure = booking.stay
    balance = booking.balance
    return ReservationTold(
        told_by=SMOOBU,
        told_at=_changed_at(settings, booking, now),
        channel=name[0],
        code=name[1],
        change=change,
        guest_name=booking.name_of_guest,
        phone=people.phone(booking.phone),
        email=people.address(booking.email),
        language=_language(booking.language),
        unit=booking.apartment.name,
        arrival=arrival,
        departure=departure,
        party=booking.party,
        balance=balance,
        currency=None if balance is None else settings.currency,
    )


def _name(session: Session, booking: Booking) -> tuple[str, str]:
    """Its channel and number there; Smoobu's own where that has been used before, or is all."""
    own = SMOOBU, str(booking.id)
    if session.get(KnownStay, own) is not None or session.get(ToldBooking, own) is not None:
        return own
    channel, number = _slug(booking.channel.name), booking.reference_id
    if channel is None or number is None or not _KEY.fullmatch(number):
        return own
    return channel, number


def _slug(name: str | None) -> str | None:
    folded = fold(name or "")
    return _CHANNELS.get(folded) or re.sub(r"[^a-z0-9]+", "-", folded).strip("-")[:100] or None


def _language(text: str | None) -> str | None:
    """ISO 639-1, of ``it`` or ``it-IT``."""
    found = re.match(r"[a-z]{2}(?![a-z])", (text or "").lower())
    return found[0] if found else None


def _changed_at(settings: CloudSettings, booking: Booking, now: datetime) -> datetime:
    """As a moment. Smoobu doesn't say by which clock: the property's is taken, and never later
    than now, so that what others tell next is newer."""
    local = booking.changed_at
    return min(_moment(settings, local), now) if local else now


def _moment(settings: CloudSettings, local: str) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=settings.zone)


def _digest(settings: CloudSettings, reservation: ReservationTold) -> str:
    """Of what matters, under a key: a bare hash of a phone would give it away to who tries all.

    Under a new key all is new once, which is told with the next change and changes nothing.
    """
    facts = reservation.model_dump(mode="json", exclude={"told_at", "told_by", "change"})
    facts["cancelled"] = reservation.change is Change.CANCELLED
    key = next(iter(settings.seal_key_bytes.values()))
    text = f"smoobu_bookings.digest:{json.dumps(facts, sort_keys=True)}"
    return hmac.digest(key, text.encode(), "sha256").hex()

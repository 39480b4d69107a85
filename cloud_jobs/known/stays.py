"""Stays as the desk has told of them."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select
from sqlalchemy.orm import Session

from cloud_jobs.store.known import KnownStay

CONFIRMED: Final = "confirmed"
ENDED: Final = "ended"


def _ordered(*conditions: ColumnElement[bool]) -> Select[KnownStay]:
    """By arrival, and always in the same order."""
    return (
        select(KnownStay)
        .where(and_(*conditions))
        .order_by(
            KnownStay.arrival.is_(None), KnownStay.arrival, KnownStay.unit, KnownStay.booking_id
        )
    )


# What pauses and flights are looked after by, day and night.
_IN_HOUSE: Final = _ordered(
    KnownStay.status == CONFIRMED,
    KnownStay.arrival <= bindparam("day"),
    func.coalesce(KnownStay.departure, KnownStay.arrival) >= bindparam("day"),
)
_ARRIVING: Final = _ordered(
    KnownStay.status == CONFIRMED,
    KnownStay.arrival.between(bindparam("first"), bindparam("last")),
)


def in_house(session: Session, day: date) -> Sequence[KnownStay]:
    """Confirmed stays of ``day``, those that begin and those that end on it too, by unit.

    Of one whose end isn't known only its first day counts.
    """
    return session.scalars(_IN_HOUSE, {"day": day}).all()


def arriving(session: Session, first: date, last: date) -> Sequence[KnownStay]:
    """Confirmed stays that begin on one of these days, both included."""
    return session.scalars(_ARRIVING, {"first": first, "last": last}).all()


def leaving(session: Session, day: date) -> Sequence[KnownStay]:
    """Confirmed stays that end on ``day``, and are not over yet."""
    return _confirmed(session, KnownStay.departure == day)


def left(session: Session, day: date) -> Sequence[KnownStay]:
    """Stays that ended on ``day``, whether or not the desk said so."""
    return session.scalars(
        _ordered(KnownStay.departure == day, KnownStay.status.in_([CONFIRMED, ENDED]))
    ).all()


def by_flight(session: Session, number: str, day: date) -> Sequence[KnownStay]:
    """Confirmed stays that begin on ``day`` with this flight, however it is spaced."""
    flown = KnownStay.flight_number == flight_key(number)
    return _confirmed(session, KnownStay.arrival == day, flown)


def find(session: Session, channel: str, code: str) -> KnownStay | None:
    """The stay of this number."""
    return session.get(KnownStay, (channel, code))


def stays_of(session: Session, guest: str) -> Sequence[KnownStay]:
    """All stays of a guest (blind index in hex), by arrival; those without dates last."""
    return session.scalars(_ordered(KnownStay.guest == guest)).all()


def between(session: Session, first: date, last: date) -> Sequence[KnownStay]:
    """Stays of any status of which a night is from ``first`` to ``last``, both included."""
    return session.scalars(_ordered(KnownStay.arrival <= last, KnownStay.departure > first)).all()


def flight_key(number: str) -> str:
    """A flight's number as it is kept: AZ1572."""
    return "".join(number.split()).upper()


def _confirmed(session: Session, *conditions: ColumnElement[bool]) -> Sequence[KnownStay]:
    return session.scalars(_ordered(KnownStay.status == CONFIRMED, *conditions)).all()

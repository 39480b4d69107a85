"""What mails told is forgotten some time after the stay; what waits for a person is kept."""

from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.known.mails import Verdict, reservation_of
from cloud_jobs.known.reservation import ReservationTold
from cloud_jobs.known.telling import known
from cloud_jobs.mail.results import Reservation
from cloud_jobs.store.sources import Mail, ReservationMail, ToldBooking

# Of a stay whose days nobody knows: no site takes bookings further ahead.
_FARTHEST: Final = timedelta(days=500)
_READ: Final = (Verdict.RESERVATION, Verdict.NOTHING, Verdict.SETTLED)


def forget_old(session: Session, seal: Seal, keep: timedelta, now: datetime) -> dict[str, int]:
    """Delete what was over ``keep`` ago, in the caller's transaction; how many rows of each.

    The row of a mail that was read is its digest, so that it isn't taken twice: after ``keep`` no
    server tells of it as new.
    """
    before = now - keep
    mails = session.execute(
        delete(Mail).where(Mail.verdict.in_(_READ), Mail.received_at < before).returning(Mail.uid)
    )
    return {
        "mails": len(mails.all()),
        "reservation_mails": _forget_reservations(session, seal, before),
        "told_bookings": _forget_told(session, seal, before),
    }


def _forget_reservations(session: Session, seal: Seal, before: datetime) -> int:
    rows = session.scalars(select(ReservationMail).where(ReservationMail.received_at < before))
    old = [
        row
        for row in rows.all()
        if _is_over(reservation_of(session, seal, row.digest), row.received_at, before)
    ]
    for row in old:
        session.delete(row)
    return len(old)


def _forget_told(session: Session, seal: Seal, before: datetime) -> int:
    rows = session.scalars(select(ToldBooking).where(ToldBooking.told_at < before)).all()
    old = []
    for row in rows:
        held = known(session, seal, row.channel, row.code)
        if _is_over(held.told if held else None, row.told_at, before):
            old.append(row)
    for row in old:
        session.delete(row)
    return len(old)


def _is_over(
    facts: Reservation | ReservationTold | None, told_at: datetime, before: datetime
) -> bool:
    last: date | None = (facts.departure or facts.arrival) if facts else None
    return last < before.date() if last else told_at < before - _FARTHEST

"""What guests asked for and were offered, as the desk has told of it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from cloud_jobs.store.known import KnownRequest


def of_guest(session: Session, guest: str) -> Sequence[KnownRequest]:
    """A guest's requests and offers, the oldest first."""
    return session.scalars(_oldest_first().where(KnownRequest.guest == guest)).all()


def of_booking(session: Session, booking_id: int) -> Sequence[KnownRequest]:
    """Those about one stay (the desk's number of it), the oldest first."""
    return session.scalars(_oldest_first().where(KnownRequest.booking_id == booking_id)).all()


def offers(session: Session, since: datetime, until: datetime) -> Sequence[KnownRequest]:
    """What was offered from ``since`` until before ``until``, whatever came of it."""
    made = KnownRequest.was_offered, KnownRequest.made_at >= since, KnownRequest.made_at < until
    return session.scalars(_oldest_first().where(*made)).all()


def made(session: Session, since: datetime, until: datetime) -> Sequence[KnownRequest]:
    """What was asked for or offered from ``since`` until before ``until``."""
    within = KnownRequest.made_at >= since, KnownRequest.made_at < until
    return session.scalars(_oldest_first().where(*within)).all()


def _oldest_first() -> Select[KnownRequest]:
    return select(KnownRequest).order_by(KnownRequest.made_at, KnownRequest.request_id)

"""Guests' messages and their answers, and ours to them: when and what about, not what they say."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud_jobs.store.known import KnownMessage, KnownTurn


def between(session: Session, since: datetime, until: datetime) -> Sequence[KnownTurn]:
    """Messages that came in from ``since`` until before ``until``, the oldest first."""
    received = KnownTurn.received_at >= since, KnownTurn.received_at < until
    return session.scalars(
        select(KnownTurn).where(*received).order_by(KnownTurn.received_at, KnownTurn.inbox_id)
    ).all()


def last_heard(session: Session, guest: str) -> datetime | None:
    """When a guest last wrote."""
    return session.scalar(select(func.max(KnownTurn.received_at)).where(KnownTurn.guest == guest))


def messages(session: Session, since: datetime, until: datetime) -> Sequence[KnownMessage]:
    """Messages of ours that last moved from ``since`` until before ``until``."""
    moved = KnownMessage.told_at >= since, KnownMessage.told_at < until
    return session.scalars(
        select(KnownMessage).where(*moved).order_by(KnownMessage.told_at, KnownMessage.outbox_id)
    ).all()

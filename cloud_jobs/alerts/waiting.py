"""The deliveries of alerts: taken up by one, put off, given up."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from app.sealing import Seal, SealError
from cloud_jobs.alerts.channels import Channel
from cloud_jobs.alerts.raising import context
from cloud_jobs.store.alerts import Alert, AlertDelivery, Told, What

# Longer than any channel takes to answer: then whoever had claimed the delivery is gone.
CLAIM_TIME: Final = timedelta(minutes=1)
FIRST_WAIT: Final = timedelta(seconds=2)
LONGEST_WAIT: Final = timedelta(minutes=10)
# A day later nobody needs to be woken for it.
GIVEN_UP_AFTER: Final = timedelta(hours=24)


@dataclass(frozen=True)
class Delivery:
    """An alert, or that it is over, claimed for one channel and opened."""

    seq: int
    alert: int
    what: What
    channel: Channel
    kind: str
    text: str
    urgent: bool
    attempts: int
    since: datetime


def claim(session: Session, seal: Seal, now: datetime) -> Delivery | None:
    """The delivery that is due, the urgent and then the oldest first, for this caller alone.

    If it comes back by none of the functions below, it is due again after :data:`CLAIM_TIME`: an
    alert may come twice, and never gets lost.
    """
    due = _due(now).with_for_update(of=AlertDelivery, skip_locked=True)
    while (row := session.execute(due).first()) is not None:
        waiting, alert = row
        waiting.attempts += 1
        waiting.next_at = now + CLAIM_TIME
        try:
            text = seal.open(alert.text, context(alert.key))
        except SealError as error:
            waiting.state, waiting.note = Told.FAILED, str(error)
            session.flush()
            continue
        return _opened(waiting, alert, _words(waiting, alert, text))
    return None


def is_due(session: Session, now: datetime) -> bool:
    """Whether anything is, asked without taking the write lock."""
    return session.execute(_due(now)).first() is not None


def sent(session: Session, delivery: Delivery) -> None:
    """It reached the channel."""
    _settle(session, delivery, state=Told.SENT, note=None)


def failed(session: Session, delivery: Delivery, reason: str) -> None:
    """It never will reach the channel."""
    _settle(session, delivery, state=Told.FAILED, note=reason)


def postpone(
    session: Session, delivery: Delivery, reason: str, after: timedelta | None, now: datetime
) -> bool:
    """Try again later, by ``after`` or ever more seldom; False if a day has passed: given up."""
    if now - delivery.since >= GIVEN_UP_AFTER:
        failed(session, delivery, f"given up after a day: {reason}")
        return False
    backoff = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(delivery.attempts - 1, 20))
    _settle(
        session,
        delivery,
        state=Told.PENDING,
        note=reason,
        next_at=now + (backoff if after is None else after),
    )
    return True


def _opened(waiting: AlertDelivery, alert: Alert, text: str) -> Delivery:
    begun = alert.raised_at if waiting.what == What.RAISED else alert.resolved_at
    return Delivery(
        seq=waiting.seq,
        alert=alert.seq,
        what=What(waiting.what),
        channel=Channel(waiting.channel),
        kind=alert.kind,
        text=text,
        urgent=alert.urgent,
        attempts=waiting.attempts,
        since=begun or alert.last_at,
    )


def _due(now: datetime) -> Select[AlertDelivery, Alert]:
    return (
        select(AlertDelivery, Alert)
        .join(Alert, Alert.seq == AlertDelivery.alert)
        .where(AlertDelivery.state == Told.PENDING, AlertDelivery.next_at <= now, _its_turn())
        .order_by(Alert.urgent.desc(), AlertDelivery.seq)
        .limit(1)
    )


def _its_turn() -> ColumnElement[bool]:
    """That it is over is told after the alert, not before."""
    first = aliased(AlertDelivery)
    waits = exists().where(
        and_(
            first.alert == AlertDelivery.alert,
            first.channel == AlertDelivery.channel,
            first.what == What.RAISED,
            first.state == Told.PENDING,
        )
    )
    return or_(AlertDelivery.what == What.RAISED, ~waits)


def _words(waiting: AlertDelivery, alert: Alert, text: str) -> str:
    times = f" (found {alert.times} times)" if alert.times > 1 else ""
    if waiting.what == What.RAISED:
        return text + times
    lasted = (alert.resolved_at or alert.last_at) - alert.raised_at
    minutes = max(1, round(lasted / timedelta(minutes=1)))
    return f"Over, after {minutes} min{times}: {text}"


def _settle(session: Session, delivery: Delivery, **values: object) -> None:
    session.execute(update(AlertDelivery).where(AlertDelivery.seq == delivery.seq).values(**values))

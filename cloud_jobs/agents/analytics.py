"""The analytics agent: what happened in a period, counted from what is known of the desk.

Every number can be counted again from the tables ``known_…`` (docs/agents.md says from which); each
sum and its parts agree. Days are the property's.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from cloud_jobs.agents.figures import (
    Answers,
    Bookings,
    Engagement,
    Figures,
    Stays,
)
from cloud_jobs.agents.offers import money_taken, offers_made
from cloud_jobs.agents.shares import counted, percentile, share, spread
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.exchange import InboundEvent
from cloud_jobs.store.known import KnownGuest, KnownStay, KnownTurn

ANSWER_GOAL: Final = timedelta(minutes=5)
UNKNOWN: Final = "unknown"
_KEPT: Final = ("confirmed", "ended")


@dataclass(frozen=True)
class Period:
    """The days ``first`` to ``last``, both in it, in the property's zone."""

    first: date
    last: date
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError("a period ends on its first day at the earliest")

    @property
    def days(self) -> int:
        """How many."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "Period":
        """As many days, up to the day before the first."""
        return Period(
            self.first - timedelta(days=self.days), self.first - timedelta(days=1), self.zone
        )

    def holds(self, moment: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        """Whether a column's moment is in it."""
        begin = datetime.combine(self.first, time(), tzinfo=self.zone)
        end = datetime.combine(self.last + timedelta(days=1), time(), tzinfo=self.zone)
        return and_(moment >= begin, moment < end)


def measure(session: Session, settings: CloudSettings, period: Period) -> Figures:
    """All figures of a period."""
    return Figures(
        first=period.first,
        last=period.last,
        stays=_stays(session, period, settings.units),
        bookings=_bookings(session, period),
        answers=_answers(session, period),
        engagement=_engagement(session, period),
        asked=offers_made(session, period.holds, by_agent=False),
        upsells=offers_made(session, period.holds, by_agent=True),
        taken=money_taken(session, period.holds),
    )


def _stays(session: Session, period: Period, units: int | None) -> Stays:
    staying = _staying(session, period)
    arrived = session.scalars(
        select(KnownStay).where(
            KnownStay.status.in_(_KEPT),
            KnownStay.arrival >= period.first,
            KnownStay.arrival <= period.last,
        )
    ).all()
    nights = sum(_nights_in(stay, period) for stay in staying)
    undated = select(func.count()).where(
        KnownStay.status.in_(_KEPT),
        or_(KnownStay.arrival.is_(None), KnownStay.departure.is_(None)),
        period.holds(KnownStay.booked_at),
    )
    return Stays(
        arrived=len(arrived),
        staying=len(staying),
        nights=nights,
        occupancy=None if units is None else share(nights, units * period.days),
        undated=session.scalar(undated) or 0,
        channels=counted(stay.channel for stay in arrived),
        languages=_languages(session, arrived),
        lead_days=spread(_each(arrived, lambda stay: _lead(stay, period.zone))),
        length_nights=spread(_each(arrived, _nights)),
        party=spread(_each(arrived, lambda stay: stay.party)),
    )


def _staying(session: Session, period: Period) -> Sequence[KnownStay]:
    """The stays of which a night is in the period: the night of its last day is."""
    return session.scalars(
        select(KnownStay).where(
            KnownStay.status.in_(_KEPT),
            KnownStay.arrival <= period.last,
            KnownStay.departure > period.first,
            KnownStay.departure > KnownStay.arrival,
        )
    ).all()


def _nights_in(stay: KnownStay, period: Period) -> int:
    assert stay.arrival is not None and stay.departure is not None  # noqa: PT018 - of _staying
    first = max(stay.arrival, period.first)
    return (min(stay.departure, period.last + timedelta(days=1)) - first).days


def _nights(stay: KnownStay) -> int | None:
    if stay.arrival is None or stay.departure is None:
        return None
    return (stay.departure - stay.arrival).days


def _lead(stay: KnownStay, zone: ZoneInfo) -> int | None:
    """Days from booking to arrival; what became known later was booked on the day, for all we
    know."""
    if stay.arrival is None:
        return None
    return max(0, (stay.arrival - stay.booked_at.astimezone(zone).date()).days)


def _each(stays: Iterable[KnownStay], value: Callable[[KnownStay], int | None]) -> list[int]:
    return [found for stay in stays if (found := value(stay)) is not None]


def _languages(session: Session, stays: Sequence[KnownStay]) -> dict[str, int]:
    guests = {stay.guest for stay in stays if stay.guest is not None}
    languages = select(KnownGuest.guest, KnownGuest.language).where(KnownGuest.guest.in_(guests))
    known = {row.guest: row.language for row in session.execute(languages)}
    return counted(known.get(stay.guest or "") or UNKNOWN for stay in stays)


def _bookings(session: Session, period: Period) -> Bookings:
    rows = session.execute(
        select(KnownStay.channel, KnownStay.status, func.count())
        .where(period.holds(KnownStay.booked_at))
        .group_by(KnownStay.channel, KnownStay.status)
    )
    channels: Counter[str] = Counter()
    states: Counter[str] = Counter()
    for channel, status, number in rows:
        channels[channel] += number
        states[status] += number
    made, cancelled = states.total(), states["cancelled"]
    return Bookings(
        made=made,
        cancelled=cancelled,
        cancelled_share=share(cancelled, made),
        channels=counted(channels.elements()),
    )


def _answers(session: Session, period: Period) -> Answers:
    turns = session.scalars(select(KnownTurn).where(period.holds(KnownTurn.received_at))).all()
    silent = [turn for turn in turns if turn.silent]
    took = sorted(
        turn.answered_at - turn.received_at
        for turn in turns
        if not turn.silent and turn.answered_at is not None and turn.received_at is not None
    )
    for_the_bot = len(turns) - len(silent)
    within = sum(time_taken < ANSWER_GOAL for time_taken in took)
    seconds = [Decimal(time_taken // timedelta(milliseconds=1)) / 1000 for time_taken in took]
    handed_over = select(func.count()).where(
        InboundEvent.name == "conversation.handed_over", period.holds(InboundEvent.occurred_at)
    )
    return Answers(
        received=len(turns),
        answered=len(took),
        silent=len(silent),
        unanswered=for_the_bot - len(took),
        p50_seconds=percentile(seconds, 50),
        p95_seconds=percentile(seconds, 95),
        within_goal=within,
        within_goal_share=share(within, for_the_bot),
        intents=counted(turn.intent or UNKNOWN for turn in turns),
        handed_over=session.scalar(handed_over) or 0,
    )


def _engagement(session: Session, period: Period) -> Engagement:
    guests = {stay.guest for stay in _staying(session, period) if stay.guest is not None}
    wrote = guests & set(
        session.scalars(select(KnownTurn.guest).where(period.holds(KnownTurn.received_at)))
    )
    return Engagement(guests=len(guests), wrote=len(wrote), share=share(len(wrote), len(guests)))

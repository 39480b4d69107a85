"""What the analytics agent measures, as it is kept and printed. Nothing of one guest is in it."""

from datetime import date
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Figure(BaseModel):
    """A part of the result."""

    model_config = ConfigDict(frozen=True)


class Spread(Figure):
    """Of so many values, in whole units (days, nights, people); None where there are none."""

    count: int
    mean: Decimal | None
    median: Decimal | None
    p95: int | None


class Stays(Figure):
    """Confirmed or ended stays. ``arrived``: their first day is in the period; what is told by
    channel, lead time, length and party is of these. ``staying``: a night of theirs is.

    ``occupancy`` is ``nights`` by the nights there were to let, None where ``units`` isn't set; it
    is above 1 where units are missing from the setting. ``undated`` were booked in the period and
    have no dates, so they are in no other number of these.
    """

    arrived: int
    staying: int
    nights: int
    occupancy: Decimal | None
    undated: int
    channels: dict[str, int]
    languages: dict[str, int]
    lead_days: Spread
    length_nights: Spread
    party: Spread


class Bookings(Figure):
    """Bookings that became known in the period; ``cancelled`` of them are by now."""

    made: int
    cancelled: int
    cancelled_share: Decimal | None
    channels: dict[str, int]


class Answers(Figure):
    """Guests' messages of the period. ``received`` = answered + silent + unanswered.

    ``silent``: the bot left it to a person, whose answer isn't timed. Times are seconds from the
    message's arrival at the gateway to the answer being written. ``within_goal`` is of those that
    the bot was to answer, so that one never answered counts against it.
    """

    received: int
    answered: int
    silent: int
    unanswered: int
    p50_seconds: Decimal | None
    p95_seconds: Decimal | None
    within_goal: int
    within_goal_share: Decimal | None
    intents: dict[str, int]
    handed_over: int


class Engagement(Figure):
    """Guests with a stay in the period, and those of them who wrote in it."""

    guests: int
    wrote: int
    share: Decimal | None


class Offers(Figure):
    """Offers made in the period. ``made`` = accepted + declined + expired + open; the rate is of
    those that were decided."""

    made: int
    accepted: int
    declined: int
    expired: int
    open: int
    acceptance: Decimal | None
    by_kind: dict[str, "Offers"]


class Figures(Figure):
    """All that is measured of the days ``first`` to ``last``, both in it.

    ``asked`` are offers after the guest had asked, ``upsells`` those of the upsell agent.
    ``taken`` is what the accepted offers of both come to, by currency.
    """

    first: date
    last: date
    stays: Stays
    bookings: Bookings
    answers: Answers
    engagement: Engagement
    asked: Offers
    upsells: Offers
    taken: dict[str, Decimal]


class Verdict(StrEnum):
    """Whether a goal is reached."""

    REACHED = "reached"
    MISSED = "missed"
    NOT_ENOUGH_DATA = "not enough data"


class Goal(Figure):
    """A goal, what was measured, and of how many cases."""

    name: str
    goal: str
    measured: str | None
    cases: int
    verdict: Verdict


class Analytics(Figure):
    """The figures of a period, and the goals measured by them and by the period before."""

    figures: Figures
    goals: list[Goal]

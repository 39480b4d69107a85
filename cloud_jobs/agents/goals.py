"""The business goals: measured, with a verdict only where there are cases enough for one."""

from decimal import Decimal
from typing import Final

from sqlalchemy.orm import Session

from cloud_jobs.agents.analytics import ANSWER_GOAL, Period, measure
from cloud_jobs.agents.figures import Analytics, Answers, Engagement, Goal, Offers, Verdict
from cloud_jobs.agents.shares import share
from cloud_jobs.settings import CloudSettings

FEWEST: Final = 20
"""Cases of a verdict. With so few a share of 30 % is still uncertain by 20 points either way."""

_MORE_ENGAGED: Final = Decimal("0.20")
_ACCEPTED: Final = Decimal("0.30")
_ANSWERED_IN_TIME: Final = Decimal("0.95")


def analyse(session: Session, settings: CloudSettings, period: Period) -> Analytics:
    """The figures of a period, and how it stands by the goals."""
    figures = measure(session, settings, period)
    before = measure(session, settings, period.before)
    goals = [
        engagement_goal(figures.engagement, before.engagement),
        acceptance_goal(figures.upsells),
        answer_goal(figures.answers),
    ]
    return Analytics(figures=figures, goals=goals)


def engagement_goal(now: Engagement, before: Engagement) -> Goal:
    """A larger share of guests write than in as many days before; a fifth more, not 20 points."""
    growth = None
    if before.wrote and before.guests and now.guests:
        ratio = Decimal(now.wrote * before.guests) / (now.guests * before.wrote)
        growth = ratio - 1
    cases = min(now.guests, before.guests)
    return Goal(
        name="guests who write, against the period before",
        goal=_signed(_MORE_ENGAGED),
        measured=None if growth is None else _signed(growth),
        cases=cases,
        verdict=_verdict(cases, None if growth is None else growth >= _MORE_ENGAGED),
    )


def acceptance_goal(offers: Offers) -> Goal:
    """Of the upsell agent's offers that were decided, so many are taken."""
    decided = offers.accepted + offers.declined + offers.expired
    rate = offers.acceptance
    return Goal(
        name="offers accepted",
        goal=f"> {_percent(_ACCEPTED)}",
        measured=None if rate is None else _percent(rate),
        cases=decided,
        verdict=_verdict(decided, None if rate is None else rate > _ACCEPTED),
    )


def answer_goal(answers: Answers) -> Goal:
    """Nearly every message that the bot is to answer is answered in time."""
    cases = answers.answered + answers.unanswered
    in_time = share(answers.within_goal, cases)
    return Goal(
        name=f"answered in less than {ANSWER_GOAL.seconds // 60} minutes",
        goal=f">= {_percent(_ANSWERED_IN_TIME)}",
        measured=None if in_time is None else _percent(in_time),
        cases=cases,
        verdict=_verdict(cases, None if in_time is None else in_time >= _ANSWERED_IN_TIME),
    )


def _verdict(cases: int, is_reached: bool | None) -> Verdict:
    if is_reached is None or cases < FEWEST:
        return Verdict.NOT_ENOUGH_DATA
    return Verdict.REACHED if is_reached else Verdict.MISSED


def _percent(part: Decimal) -> str:
    return f"{(part * 100).quantize(Decimal('0.1'))} %"


def _signed(part: Decimal) -> str:
    return _percent(part) if part < 0 else f"+{_percent(part)}"

"""``portiere cloud analytics``: what happened in a period, in numbers."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated

import typer

from cloud_jobs import settings as configuration
from cloud_jobs.agents.analytics import Period
from cloud_jobs.agents.figures import Analytics, Figures, Offers, Spread
from cloud_jobs.agents.goals import analyse
from cloud_jobs.cli_runs import open_store

_MONTH = timedelta(days=29)


def _day(value: str) -> date:
    """Raises typer.BadParameter."""
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise typer.BadParameter("write a day as year, month and day, like 2026-11-24") from None


def analytics(
    first: Annotated[
        date | None,
        typer.Option(
            "--from", parser=_day, metavar="DAY", help="The first day; else 30 days up to --to."
        ),
    ] = None,
    last: Annotated[
        date | None,
        typer.Option("--to", parser=_day, metavar="DAY", help="The last day; else yesterday."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show stays, messages, offers and goals of some days, counted now; nothing of one guest."""
    found = configuration.load()
    last = last or datetime.now(found.zone).date() - timedelta(days=1)
    first = first or last - _MONTH
    if last < first:
        raise typer.BadParameter(f"{first} is after {last}: --from is the first day")
    with open_store(found).reading() as session:
        result = analyse(session, found, Period(first, last, found.zone))
    if as_json:
        typer.echo(result.model_dump_json(indent=2))
        return
    for line in lines(result):
        typer.echo(line)


def lines(result: Analytics) -> Iterator[str]:
    """The figures for people."""
    figures = result.figures
    yield f"{figures.first} to {figures.last}"
    yield from _stays(figures)
    yield from _messages(figures)
    yield _offers("Offered by the agent", figures.upsells)
    yield _offers("Offered when asked for", figures.asked)
    if figures.taken:
        yield f"Accepted in all: {_each(figures.taken)}"
    yield "Goals"
    for goal in result.goals:
        measured = goal.measured or "nothing to measure"
        yield f"  {goal.name}: {measured} of {goal.cases} ({goal.goal}): {goal.verdict}"


def _stays(figures: Figures) -> Iterator[str]:
    stays, bookings = figures.stays, figures.bookings
    let = "set PORTIERE_UNITS to see it" if stays.occupancy is None else _percent(stays.occupancy)
    yield f"Arrived: {stays.arrived} ({_each(stays.channels)}); languages: {_each(stays.languages)}"
    yield f"Nights: {stays.nights} of {stays.staying} stays; occupancy: {let}"
    yield f"  days from booking to arrival: {_spread(stays.lead_days)}"
    yield f"  nights: {_spread(stays.length_nights)}"
    yield f"  guests: {_spread(stays.party)}"
    if stays.undated:
        yield f"  and {stays.undated} booked whose dates nobody has told"
    yield (
        f"Booked: {bookings.made} ({_each(bookings.channels)}), "
        f"{bookings.cancelled} of them cancelled since ({_percent(bookings.cancelled_share)})"
    )


def _messages(figures: Figures) -> Iterator[str]:
    answers, engaged = figures.answers, figures.engagement
    yield (
        f"Messages: {answers.received}: {answers.answered} answered, {answers.silent} left to a "
        f"person, {answers.unanswered} unanswered; handed over: {answers.handed_over} times"
    )
    half, most = _seconds(answers.p50_seconds), _seconds(answers.p95_seconds)
    yield f"  half of the answers within {half}, 95 of 100 within {most}"
    yield f"  in less than 5 minutes: {_percent(answers.within_goal_share)}"
    yield f"  about: {_each(answers.intents)}"
    yield f"Guests who wrote: {engaged.wrote} of {engaged.guests} ({_percent(engaged.share)})"


def _offers(what: str, offers: Offers) -> str:
    return (
        f"{what}: {offers.made}: {offers.accepted} accepted, {offers.declined} declined, "
        f"{offers.expired} expired, {offers.open} open ({_percent(offers.acceptance)} accepted)"
    )


def _each(counts: Mapping[str, int | Decimal]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.items()) or "-"


def _spread(spread: Spread) -> str:
    if spread.count == 0:
        return "-"
    return f"{spread.median} in the middle, {spread.mean} on average, 95 of 100 to {spread.p95}"


def _seconds(value: Decimal | None) -> str:
    return "-" if value is None else f"{value.quantize(Decimal('0.1'))} s"


def _percent(share: Decimal | None) -> str:
    return "-" if share is None else f"{(share * 100).quantize(Decimal('0.1'))} %"

"""What pausing saved in a month: the runs it left out, at what such a run costs on average.

It is money that would have been paid: what is free is taken off what would have been used as it was
off what was. It is the most that can have been saved, because pauses are at hours at which a run
has less to do than on average. The server, the domain and subscriptions cost the same, and what
events set off is not left out but done later.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud_jobs.costs.months import Month
from cloud_jobs.costs.pots import Pot, pot_of
from cloud_jobs.costs.prices import NANO, Costs, UnknownItemError, load
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.money import Metered, Used
from cloud_jobs.store.runs import Pause, PausedQueue, Run, StartedBy, State


@dataclass(frozen=True)
class ByClock:
    """The jobs that the clock starts: the queue of each, and when it ticks.

    ``ticks`` are those of a job later than the first moment, up to and with the second.
    """

    queues: Mapping[str, str]
    ticks: Callable[[str, datetime, datetime], Iterable[datetime]]


@dataclass(frozen=True)
class Saved:
    """What the pauses of a month came to.

    ``hours`` by queue; ``left_out``: runs by job; ``amount`` in ``settings.currency``.
    """

    hours: Mapping[str, timedelta]
    left_out: Mapping[str, int]
    amount: Decimal


@dataclass(frozen=True)
class _Paused:
    queue: str
    since: datetime
    until: datetime


def saved(
    session: Session, settings: CloudSettings, month: Month, by_clock: ByClock, now: datetime
) -> Saved:
    """What pausing saved in ``month`` up to ``now``. Raises CostsError."""
    hours: dict[str, timedelta] = defaultdict(timedelta)
    times: dict[str, list[datetime]] = defaultdict(list)
    for pause in _pauses(session, settings, month, now):
        hours[pause.queue] += pause.until - pause.since
        for job in (job for job, queue in by_clock.queues.items() if queue == pause.queue):
            # The clock keeps one run of a pause, and it is done after.
            times[job] += list(by_clock.ticks(job, pause.since, pause.until))[1:]
    left_out = {job: len(found) for job, found in sorted(times.items()) if found}
    amount = _worth(session, settings, month, times)
    return Saved(dict(hours), left_out, amount)


def _pauses(
    session: Session, settings: CloudSettings, month: Month, now: datetime
) -> Iterator[_Paused]:
    begins, ends = month.since(settings.zone), min(now, month.until(settings.zone))
    over = session.scalars(select(Pause).where(Pause.since < ends, Pause.until > begins))
    found = [_Paused(one.queue, one.since, one.until) for one in over]
    still = session.scalars(select(PausedQueue).where(PausedQueue.since < ends))
    found += [_Paused(one.queue, one.since, now) for one in still]
    for one in sorted(found, key=lambda one: (one.since, one.queue)):
        if one.since < ends:
            yield _Paused(one.queue, max(one.since, begins), min(one.until, ends))


def _worth(
    session: Session, settings: CloudSettings, month: Month, times: Mapping[str, list[datetime]]
) -> Decimal:
    """What the runs at ``times`` would have cost beside what was used."""
    costs = load(settings)
    more: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    pots: dict[tuple[str, str], tuple[Pot, str]] = {}
    for job, found in times.items():
        for item, each in _average(session, month, job).items():
            for pot, currency in _pots(costs, item, found):
                key = pot.name, pot.period
                more[key] += each * pot.counts
                pots[key] = pot, currency
    total = Decimal(0)
    for key, (pot, currency) in pots.items():
        row = session.get(Used, key)
        used = row.used if row else Decimal(0)
        worth = pot.cost(used + more[key]) - pot.cost(used)
        total += costs.convert(worth, currency, settings.currency)
    return total.quantize(NANO)


def _pots(costs: Costs, item: str, times: Iterable[datetime]) -> Iterator[tuple[Pot, str]]:
    try:
        yield from (pot_of(costs, item, at) for at in times)
    except UnknownItemError:
        return  # no longer in the list: nobody knows what it would cost today


def _average(session: Session, month: Month, job: str) -> dict[str, Decimal]:
    """How much of each item a run of ``job`` that the clock started used on average."""
    days = month.first.isoformat(), month.last.isoformat()
    runs = session.scalars(
        select(func.count())
        .select_from(Run)
        .where(
            Run.job == job,
            Run.day.between(*days),
            Run.started_by == StartedBy.CLOCK,
            Run.state == State.SUCCEEDED,
        )
    ).one()
    if not runs:
        return {}
    used = session.execute(
        select(Metered.item, func.sum(Metered.quantity))
        .where(Metered.job == job, Metered.day.between(*days))
        .group_by(Metered.item)
    )
    return {item: Decimal(int(quantity)) / runs for item, quantity in used}

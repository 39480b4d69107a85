"""Runs as they are looked at: lists, newest first, and numbers by job and day."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Select, func, select, type_coerce
from sqlalchemy.orm import Session, defer

from cloud_jobs.store.runs import Run, RunLog, State, Step


@dataclass(frozen=True)
class Filter:
    """Which runs: those that fit all that is given. Times are aware, of when a run was made."""

    job: str | None = None
    state: State | None = None
    error_kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """For a query of runs."""
        given = (
            (self.job, Run.job == self.job),
            (self.state, Run.state == self.state),
            (self.error_kind, Run.error_kind == self.error_kind),
            (self.since, Run.created_at >= self.since if self.since else None),
            (self.until, Run.created_at < self.until if self.until else None),
        )
        return [
            condition for value, condition in given if value is not None and condition is not None
        ]


@dataclass
class JobDay:
    """A job's runs of a day: how many in each state, how long the last attempts of those that are
    over took, on average and at most, and what they cost.
    """

    job: str
    day: str
    states: dict[State, int] = field(default_factory=dict)
    average: timedelta | None = None
    longest: timedelta | None = None
    cost: Decimal = Decimal(0)


MOST_LISTED: Final = 500


def find(
    session: Session, which: Filter, *, before_seq: int | None = None, limit: int = 50
) -> Sequence[Run]:
    """Up to ``limit`` runs (at most 500), the newest first, without payload and output.

    ``before_seq``: only older ones than that, for the next page.
    """
    query = _listed().where(*which.conditions()).order_by(Run.seq.desc())
    if before_seq is not None:
        query = query.where(Run.seq < before_seq)
    return session.scalars(query.limit(min(limit, MOST_LISTED))).all()


def get(session: Session, run_id: str) -> Run | None:
    """A run, without payload and output."""
    return session.scalar(_listed().where(Run.run_id == run_id))


def steps_of(session: Session, run_id: str) -> list[tuple[str, int, datetime]]:
    """A run's finished steps, in order: name, the attempt that finished it, when."""
    found = session.scalars(
        select(Step)
        .where(Step.run_id == run_id)
        .options(defer(Step.output, raiseload=True))
        .order_by(Step.finished_at)
    )
    return [(step.name, step.attempt, step.finished_at) for step in found]


def logs_of(session: Session, run_id: str) -> Sequence[RunLog]:
    """The lines that a run wrote, in order."""
    return session.scalars(select(RunLog).where(RunLog.run_id == run_id).order_by(RunLog.seq)).all()


def stats(session: Session, *, since: str, until: str, job: str | None = None) -> list[JobDay]:
    """Numbers by day and job, in this order, of the days ``since`` to ``until`` (YYYY-MM-DD)."""
    took = type_coerce(Run.finished_at, BigInteger) - type_coerce(Run.started_at, BigInteger)
    query = (
        select(
            Run.day,
            Run.job,
            Run.state,
            func.count().label("runs"),
            func.count(took).label("timed"),
            func.sum(took).label("took"),
            func.max(took).label("longest"),
            func.sum(Run.cost).label("cost"),
        )
        .where(Run.day >= since, Run.day <= until)
        .group_by(Run.day, Run.job, Run.state)
        .order_by(Run.day, Run.job)
    )
    if job is not None:
        query = query.where(Run.job == job)
    return _by_day(session.execute(query).all())


def _by_day(rows: Sequence[Any]) -> list[JobDay]:
    found: dict[tuple[str, str], JobDay] = {}
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for row in rows:
        key = (row.day, row.job)
        one = found.setdefault(key, JobDay(row.job, row.day))
        one.states[State(row.state)] = row.runs
        one.cost += row.cost
        if not row.timed:
            continue
        timed, took = sums.get(key, (0, 0))
        sums[key] = timed + row.timed, took + int(row.took)
        longest = timedelta(milliseconds=int(row.longest))
        one.longest = max(longest, one.longest or longest)
    for key, (timed, took) in sums.items():
        found[key].average = timedelta(milliseconds=took / timed)
    return list(found.values())


def _listed() -> Select[Run]:
    return select(Run).options(
        defer(Run.payload, raiseload=True), defer(Run.output, raiseload=True)
    )

"""What came of runs, written down many at a time: their state, and the alert of a failed job."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.alerts.raising import raise_alert, resolve
from cloud_jobs.runtime.claiming import OURS, Claimed, first_of_key, hold, whose
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.alerts import Alert
from cloud_jobs.store.base import table
from cloud_jobs.store.runs import Run, State

ALERT_KIND: Final = "job_failed"
_FAILED: Final = frozenset({State.FAILED, State.TIMED_OUT})
_RUNS: Final = table(Run)
_NOT_BEFORE: Final = bindparam("b_not_before", type_=Run.not_before.type)
_SETTLE: Final = (
    update(_RUNS)
    .where(*OURS)
    .values(
        state=bindparam("b_state"),
        excused=bindparam("b_excused"),
        not_before=func.coalesce(_NOT_BEFORE, _RUNS.c.not_before),
        started_at=bindparam("b_started_at"),
        finished_at=bindparam("b_finished_at"),
        lease_until=None,
        output=bindparam("b_output"),
        error_kind=bindparam("b_error_kind"),
        error=bindparam("b_error"),
    )
)
_ALERTS: Final = table(Alert)
_OPEN: Final = select(_ALERTS.c.key).where(
    _ALERTS.c.key.in_(bindparam("keys", expanding=True)), _ALERTS.c.resolved_at.is_(None)
)


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. ``state`` queued: to be tried again, not before ``not_before``.

    ``output`` is sealed. ``counted`` is False where we ended the attempt, not the job.
    """

    claimed: Claimed
    state: State
    started_at: datetime
    ended_at: datetime
    output: bytes | None = None
    error_kind: str | None = None
    error: str | None = None
    not_before: datetime | None = None
    counted: bool = True


def settle(
    session: Session, outcomes: Sequence[Outcome], *, settings: CloudSettings, seal: Seal
) -> list[str]:
    """Write outcomes down; the runs that waited for theirs to end, to be dispatched.

    Of a run that is its worker's no more nothing is written; one to be cancelled isn't tried again.
    """
    outcomes = sorted(outcomes, key=lambda one: one.claimed.run_id)  # see `in_order`
    outcomes = _without_cancelled(session, outcomes)
    failed = [one for one in outcomes if one.state in _FAILED]
    # Looked at before, for their rows must still be held; there are few of them.
    told = [one for one in failed if hold(session, one.claimed, one.ended_at) is not None]
    session.connection().execute(_SETTLE, [_row(one) for one in outcomes])
    for one in told:
        raise_alert(
            session,
            seal,
            settings,
            key=alert_key(one.claimed.job),
            kind=ALERT_KIND,
            text=f"The job {one.claimed.job} failed ({one.claimed.run_id}): {one.error}",
            now=one.ended_at,
        )
    _resolve(session, outcomes)
    return _waiting(session, outcomes)


def _without_cancelled(session: Session, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    again = [one.claimed.run_id for one in outcomes if one.state is State.QUEUED]
    if not again:
        return outcomes
    query = select(Run.run_id).where(Run.run_id.in_(again), Run.cancel_asked)
    asked = set(session.scalars(query.with_for_update()))
    return [
        replace(one, state=State.CANCELLED) if one.claimed.run_id in asked else one
        for one in outcomes
    ]


def alert_key(job: str) -> str:
    """The alert of a job that failed: open until it succeeds."""
    return f"job:{job}"


def _row(one: Outcome) -> dict[str, Any]:
    ended = one.state is not State.QUEUED
    return {
        **whose(one.claimed),
        "b_state": one.state,
        "b_excused": one.claimed.excused + (not one.counted),
        "b_not_before": one.not_before,
        "b_started_at": one.started_at,
        "b_finished_at": one.ended_at if ended else None,
        "b_output": one.output,
        "b_error_kind": one.error_kind,
        "b_error": one.error,
    }


def _resolve(session: Session, outcomes: Sequence[Outcome]) -> None:
    """The alerts of jobs that work again."""
    well = {
        alert_key(one.claimed.job): one.ended_at for one in outcomes if one.state is State.SUCCEEDED
    }
    if not well:
        return
    for key in session.connection().scalars(_OPEN, {"keys": list(well)}).all():
        resolve(session, key=key, now=well[key])


def _waiting(session: Session, outcomes: Sequence[Outcome]) -> list[str]:
    """Of each concurrency key that is free now, the run that waited longest for it."""
    freed = {
        (one.claimed.job, one.claimed.concurrency_key): one.ended_at
        for one in outcomes
        if one.claimed.concurrency_key is not None
    }
    on = session.connection()
    found = [first_of_key(on, job, key, at) for (job, key), at in freed.items() if key]
    return [run_id for run_id in found if run_id is not None]

"""Replaying: what is over is run once more, as a new run that says whose replay it is.

By default a replay begins from nothing: what its steps remembered may be just what went wrong, and
who replays a run wants it done. Its commands are new ones too. ``keep_steps`` goes on behind the
last step that was finished instead, and repeats nothing that was done.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Select, insert, select
from sqlalchemy.orm import Session, aliased

from app.sealing import Seal
from cloud_jobs.runtime.job import Jobs
from cloud_jobs.runtime.listing import Filter
from cloud_jobs.runtime.starting import Start, payload_context, start_all
from cloud_jobs.runtime.steps import context as step_context
from cloud_jobs.store.runs import FINISHED, Run, StartedBy, Step

MOST_REPLAYED: Final = 1000


@dataclass(frozen=True)
class Replayed:
    """The new runs, to be dispatched; how many were left out, for their job is no more."""

    run_ids: Sequence[str]
    left_out: int


def replay(  # noqa: PLR0913 - what starting a run needs, and which
    session: Session,
    which: Filter | str,
    *,
    seal: Seal,
    jobs: Jobs,
    zone: ZoneInfo,
    now: datetime,
    keep_steps: bool = False,
    limit: int = MOST_REPLAYED,
) -> Replayed:
    """Replay one run by its id, or by a filter up to ``limit`` that are over, the oldest first.

    A filter leaves out runs that were replayed already, so that it can be used again for the rest;
    the replay is found by it in their place, if that failed too.
    """
    originals = session.scalars(_chosen(which).limit(min(limit, MOST_REPLAYED))).all()
    known = [run for run in originals if run.job in jobs.by_name]
    started = start_all(
        session, [_again(run, seal, jobs) for run in known], seal=seal, zone=zone, now=now
    )
    run_ids = [one.run_id for one in started]
    if keep_steps:
        _copy_steps(session, dict(zip((run.run_id for run in known), run_ids, strict=True)), seal)
    return Replayed(run_ids, len(originals) - len(known))


def _chosen(which: Filter | str) -> Select[Run]:
    over = select(Run).where(Run.state.in_(FINISHED)).order_by(Run.seq)
    if isinstance(which, str):
        return over.where(Run.run_id == which)
    other = aliased(Run)
    replayed = select(other.seq).where(other.replay_of == Run.run_id).exists()
    return over.where(*which.conditions(), ~replayed)


def _again(run: Run, seal: Seal, jobs: Jobs) -> Start:
    return Start(
        jobs.by_name[run.job],
        json.loads(seal.open(run.payload, payload_context(run.run_id))),
        StartedBy.REPLAY,
        replay_of=run.run_id,
        event_id=run.event_id,
        guest=run.guest,
        as_it_is=True,
    )


def _copy_steps(session: Session, replays: dict[str, str], seal: Seal) -> None:
    steps = session.scalars(select(Step).where(Step.run_id.in_(replays))).all()
    rows = [
        {
            "run_id": replays[step.run_id],
            "name": step.name,
            "attempt": 0,  # done before its first
            "output": seal.seal(
                seal.open(step.output, step_context(step.run_id, step.name)),
                step_context(replays[step.run_id], step.name),
            ),
            "finished_at": step.finished_at,
        }
        for step in steps
    ]
    if rows:
        session.execute(insert(Step), rows)

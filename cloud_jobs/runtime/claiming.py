"""Who works on which run: claimed, held, given back. The rows decide, whoever asks.

A claim counts an attempt; run and attempt together say whose a run is. What a worker writes for a
run it writes only while that is its own: one that was given up for dead and comes back can't.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cloud_jobs.runtime.pausing import resting
from cloud_jobs.store.base import table
from cloud_jobs.store.runs import Run, State

# Every run passes here. Building a statement takes longer than the store takes to do it, so these
# are built once, and of plain tables.
_RUNS: Final = table(Run)
_C: Final = _RUNS.c
_THESE: Final = _C.run_id.in_(bindparam("run_ids", expanding=True))
_DUE: Final = (
    select(
        _C.seq,
        _C.run_id,
        _C.job,
        _C.queue,
        _C.attempts,
        _C.excused,
        _C.replay_of,
        _C.payload,
        _C.event_id,
        _C.guest,
        _C.concurrency_key,
        _C.cancel_asked,
    )
    .where(_THESE, _C.state == State.QUEUED, _C.not_before <= bindparam("now"))
    .order_by(_C.seq)
    .with_for_update(skip_locked=True)
)
_PAUSE: Final = update(_RUNS).where(_THESE).values(state=State.PAUSED)
_CANCEL: Final = (
    update(_RUNS)
    .where(_THESE)
    .values(state=State.CANCELLED, finished_at=bindparam("at"), lease_until=None)
)
_TAKE: Final = (
    update(_RUNS)
    .where(_THESE)
    .values(
        state=State.RUNNING,
        attempts=_C.attempts + 1,
        worker=bindparam("by"),
        lease_until=bindparam("until"),
        started_at=bindparam("at"),
    )
)
_FIRST_OF_KEY: Final = (
    select(_C.run_id)
    .where(
        _C.job == bindparam("name"),
        _C.concurrency_key == bindparam("key"),
        _C.state == State.QUEUED,
        _C.not_before <= bindparam("now"),
    )
    .order_by(_C.seq)
    .limit(1)
)
_WORKING: Final = _RUNS.alias("working").c
# None where one of the key works.
_NEXT_OF_KEY: Final = _FIRST_OF_KEY.where(
    ~exists().where(
        _WORKING.job == bindparam("name"),
        _WORKING.concurrency_key == bindparam("key"),
        _WORKING.state == State.RUNNING,
    )
)
OURS: Final = (
    _C.run_id == bindparam("of_run"),
    _C.attempts == bindparam("of_attempt"),
    _C.state == State.RUNNING,
)
"""For a statement about a run that its worker still has: see :func:`whose`."""
_HOLD: Final = update(_RUNS).where(*OURS).values(lease_until=bindparam("until"))
_HOLD_AND_SEE: Final = _HOLD.returning(_C.cancel_asked)
_GIVE_BACK: Final = (
    update(_RUNS)
    .where(*OURS)
    .values(state=State.QUEUED, excused=_C.excused + 1, worker=None, lease_until=None)
)


@dataclass(frozen=True)
class Claimed:
    """A run that its worker works on; ``payload`` is sealed.

    ``at`` is when it was claimed, by the steady clock, in seconds; it wasn't to be cancelled then.
    ``may_have_steps``: that were finished before, by another attempt or by the run it replays.
    """

    run_id: str
    job: str
    attempt: int
    excused: int
    payload: bytes
    event_id: str | None
    guest: str | None
    concurrency_key: str | None
    at: float
    may_have_steps: bool


def claim(
    session: Session, run_ids: Iterable[str], *, worker: str, now: datetime, until: datetime
) -> list[Claimed]:
    """Those of the runs that may work now, in the order of their start; they are the worker's.

    A run whose queue is paused becomes `paused`, one that is to be cancelled `cancelled`. One that
    isn't due, isn't queued any more, or whose concurrency key another run has, or waits for since
    before, is left as it is.
    """
    on, at = session.connection(), time.monotonic()
    due = on.execute(_DUE, {"run_ids": list(run_ids), "now": now}).all()
    if not due:
        return []
    found = _leave_paused(on, _leave_cancelled(on, due, now))
    taking = {"by": worker, "until": until, "at": now}
    free = [row for row in found if row.concurrency_key is None]
    if free:
        on.execute(_TAKE, taking | {"run_ids": [row.run_id for row in free]})
    keyed = [row for row in found if row.concurrency_key is not None]
    alone = [row for row in keyed if _take_alone(on, row, taking)]
    return [
        Claimed(
            row.run_id,
            row.job,
            row.attempts + 1,
            row.excused,
            row.payload,
            row.event_id,
            row.guest,
            row.concurrency_key,
            at=at,
            may_have_steps=row.attempts > 0 or row.replay_of is not None,
        )
        for row in sorted(free + alone, key=lambda row: row.seq)
    ]


def whose(claimed: Claimed) -> dict[str, Any]:
    """The parameters of :data:`OURS`."""
    return {"of_run": claimed.run_id, "of_attempt": claimed.attempt}


def hold(session: Session, claimed: Claimed, until: datetime) -> bool | None:
    """Keep a run for longer, and its row locked to the end of the transaction.

    Whether it is to be cancelled; None if it is the worker's no more. What else the transaction
    writes for the run belongs behind this.
    """
    asked: bool | None = session.connection().scalar(
        _HOLD_AND_SEE, whose(claimed) | {"until": until}
    )
    return asked


def extend(session: Session, held: Sequence[Claimed], until: datetime) -> None:
    """Keep all of these for longer, where they are still held."""
    if held:
        rows = [whose(one) | {"until": until} for one in in_order(held)]
        session.connection().execute(_HOLD, rows)


def give_back(session: Session, held: Sequence[Claimed]) -> None:
    """Let others have these, as if this worker had not claimed them."""
    if held:
        session.connection().execute(_GIVE_BACK, [whose(one) for one in in_order(held)])


def in_order(held: Iterable[Claimed]) -> list[Claimed]:
    """As rows are locked: by everybody in one order, so that no two wait for each other."""
    return sorted(held, key=lambda one: one.run_id)


def first_of_key(on: Connection, job: str, key: str, now: datetime) -> str | None:
    """The run that waits longest for a concurrency key, if one may work now."""
    found: str | None = on.scalar(_FIRST_OF_KEY, {"name": job, "key": key, "now": now})
    return found


def _leave_cancelled(on: Connection, found: Sequence[Any], now: datetime) -> list[Any]:
    """Without those that were to be cancelled when their worker died."""
    asked = [row.run_id for row in found if row.cancel_asked]
    if asked:
        on.execute(_CANCEL, {"run_ids": asked, "at": now})
    return [row for row in found if not row.cancel_asked]


def _leave_paused(on: Connection, found: Sequence[Any]) -> list[Any]:
    paused = resting(on)
    to_rest = [row.run_id for row in found if row.queue in paused]
    if to_rest:
        on.execute(_PAUSE, {"run_ids": to_rest})
    return [row for row in found if row.queue not in paused]


def _take_alone(on: Connection, row: Any, taking: dict[str, Any]) -> bool:
    """Take a run whose concurrency key is free, in the order of their start."""
    waits = {"name": row.job, "key": row.concurrency_key, "now": taking["at"]}
    if on.scalar(_NEXT_OF_KEY, waits) != row.run_id:
        return False
    take = taking | {"run_ids": [row.run_id]}
    if on.dialect.name == "sqlite":  # whoever writes is alone
        on.execute(_TAKE, take)
        return True
    try:
        with on.begin_nested():
            on.execute(_TAKE, take)
    except IntegrityError:
        return False  # another worker took one of this key in this moment
    return True

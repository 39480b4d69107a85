"""Pausing: a queue takes no runs until it is resumed; what comes meanwhile is kept and run after.

A pause is a row, so it outlives restarts. Who starts a run, or takes one up, looks at that row in
the same transaction; `cloud_jobs.runtime.relay` settles the runs of which two disagreed.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cloud_jobs.runtime.job import PAUSABLE, Queue
from cloud_jobs.store.base import table
from cloud_jobs.store.runs import Pause, PausedQueue, Run, State

# Whoever starts a run asks for them: see `cloud_jobs.runtime.claiming`.
_RESTING: Final = select(table(PausedQueue).c.queue)


def pause(
    session: Session, queues: Iterable[Queue], by: str, reason: str, now: datetime
) -> list[Queue]:
    """Pause ``queues``; those that were not paused before. A pause that is there stays as it is.

    Runs that work are finished. Raises ValueError for a queue that is never paused.
    """
    wanted = list(queues)
    if not set(wanted) <= set(PAUSABLE):
        raise ValueError(f"{Queue.UPKEEP} is never paused: it is what resumes the others")
    changed = [queue for queue in wanted if _keep_pause(session, queue, by, reason, now)]
    if changed:
        session.execute(
            update(Run)
            .where(Run.queue.in_(changed), Run.state == State.QUEUED)
            .values(state=State.PAUSED)
        )
    return changed


def resume(session: Session, queues: Iterable[Queue], by: str, now: datetime) -> list[str]:
    """Go on with ``queues``; the runs that waited, the oldest first: dispatch them after commit.

    Queues that are not paused are left alone.
    """
    wanted = list(queues)
    if not wanted:
        return []
    found = session.scalars(
        delete(PausedQueue).where(PausedQueue.queue.in_(wanted)).returning(PausedQueue)
    ).all()
    for one in found:
        session.add(
            Pause(
                queue=one.queue,
                by=one.by,
                reason=one.reason,
                since=one.since,
                until=now,
                resumed_by=by,
            )
        )
    return queue_again(session, [one.queue for one in found])


def queue_again(session: Session, queues: Iterable[str]) -> list[str]:
    """Let the paused runs of ``queues`` run; their ids, the oldest first."""
    wanted = list(queues)
    if not wanted:
        return []
    rows = session.execute(
        update(Run)
        .where(Run.queue.in_(wanted), Run.state == State.PAUSED)
        .values(state=State.QUEUED)
        .returning(Run.seq, Run.run_id)
    )
    return [run_id for _, run_id in sorted((seq, run_id) for seq, run_id in rows)]


def is_paused(session: Session, queue: str) -> bool:
    """Whether ``queue`` is paused."""
    return session.get(PausedQueue, queue) is not None


def paused(session: Session) -> dict[Queue, PausedQueue]:
    """The queues that are paused: by whom, since when, why."""
    rows = session.scalars(select(PausedQueue).order_by(PausedQueue.since, PausedQueue.queue))
    return {Queue(row.queue): row for row in rows}


def resting(on: Connection) -> set[str]:
    """The names of the queues that are paused."""
    return set(on.scalars(_RESTING))


def _keep_pause(session: Session, queue: Queue, by: str, reason: str, now: datetime) -> bool:
    if session.get(PausedQueue, queue) is not None:
        return False
    try:
        with session.begin_nested():
            session.add(PausedQueue(queue=queue, by=by, reason=reason, since=now))
    except IntegrityError:
        return False  # somebody else did, in this moment
    return True

"""The relay: runs that are due and that no message on the queue stands for are queued again.

Who starts a run dispatches it, if Redis lets them. The rest is found here: what Redis lost, what
was delayed or is to be tried again, what a worker left that died.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import and_, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from app.queueing import WokenBroker
from cloud_jobs.runtime.broker import messages
from cloud_jobs.runtime.pausing import queue_again
from cloud_jobs.store.database import Store
from cloud_jobs.store.runs import PausedQueue, Run, State

# Who started a run has dispatched it by then, unless that failed.
GRACE: Final = timedelta(seconds=3)
# A worker is never without work by that; more messages would only be more to lose.
ENOUGH_WAITING: Final = 1000


class Left(NamedTuple):
    """A run that was left behind."""

    seq: int
    run_id: str
    job: str
    concurrency_key: str | None


def sweep(store: Store, broker: WokenBroker, lease: timedelta, now: datetime) -> int:
    """Queue the runs whose time has come and that were left behind; how many there were.

    A run is taken to be on the queue for a ``lease``, then it is queued again: a message too many
    does nothing. Raises ``redis.RedisError``: then none is taken to be on the queue.
    """
    take_back(store, now)
    with store.reading() as session:
        found = left_behind(session, now, ENOUGH_WAITING - broker.waiting())
    if not found:
        return 0
    # Of a concurrency key the first alone: each calls the next when it ends.
    oldest_last = sorted(found, key=lambda run: run.seq, reverse=True)
    first = {(run.job, run.concurrency_key or run.run_id): run.run_id for run in oldest_last}
    broker.enqueue_many(messages([*reversed(first.values())]))
    with store.writing() as session:
        note_queued(session, found, now + lease)
    return len(first)


def take_back(store: Store, now: datetime) -> None:
    """Queued again, as far as the rows go: what lost its worker, and what no pause holds any more.

    A run that lost its worker has used an attempt; whether it has another is looked at when it is
    worked on.
    """
    with store.reading() as session:
        if not (_lapsed(session, now) or _stray(session)):
            return
    with store.writing() as session:
        _free(session, _lapsed(session, now))
        queue_again(session, _stray(session))


def left_behind(session: Session, now: datetime, room: int) -> Sequence[Left]:
    """Up to ``room`` due runs without a message, those first that have been due for longest."""
    if room <= 0:
        return []
    other = aliased(Run)
    working = exists().where(
        other.job == Run.job,
        other.concurrency_key == Run.concurrency_key,
        other.state == State.RUNNING,
    )
    # Dispatched by who started it: what was due at once, the first time.
    is_fresh = and_(Run.attempts == 0, Run.not_before <= Run.created_at)
    query = (
        select(Run.seq, Run.run_id, Run.job, Run.concurrency_key)
        .where(
            Run.state == State.QUEUED,
            Run.not_before <= now,
            or_(~is_fresh, Run.created_at <= now - GRACE),
            or_(Run.lease_until.is_(None), Run.lease_until <= now),
            or_(Run.concurrency_key.is_(None), ~working),
        )
        .order_by(Run.not_before, Run.seq)  # as the index has them: there may be many
        .limit(room)
    )
    return [Left(*row) for row in session.execute(query)]


def note_queued(session: Session, runs: Sequence[Left], until: datetime) -> None:
    """Take runs to be on the queue until then."""
    session.execute(
        update(Run)
        .where(Run.seq.in_([run.seq for run in runs]), Run.state == State.QUEUED)
        .values(lease_until=until)
    )


def _lapsed(session: Session, now: datetime) -> list[str]:
    """Runs whose worker has not been heard of for too long."""
    query = select(Run.run_id).where(Run.state == State.RUNNING, Run.lease_until <= now)
    return list(session.scalars(query))


def _free(session: Session, run_ids: Sequence[str]) -> None:
    session.execute(
        update(Run)
        .where(Run.run_id.in_(run_ids), Run.state == State.RUNNING)
        .values(state=State.QUEUED, lease_until=None, worker=None)
    )


def _stray(session: Session) -> list[str]:
    """Queues that go on, with runs that were started in the moment when they were resumed."""
    resting = select(PausedQueue.queue)
    query = select(Run.queue).where(Run.state == State.PAUSED, Run.queue.not_in(resting))
    return list(session.scalars(query.distinct()))

"""What is over is kept for a while and then deleted, a few rows at a time: others write, too."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from cloud_jobs.exchange.commands import CommandState
from cloud_jobs.runtime.job import Queue
from cloud_jobs.store.database import Store
from cloud_jobs.store.exchange import AuditEntry, Command, InboundEvent
from cloud_jobs.store.runs import FINISHED, Run, RunLog, StartedBy, State, Step

BATCH: Final = 500
# Upkeep looks at everything every few minutes, 2,200 times a day: nobody asks for long when it last
# went well. What guests and money had to do with is kept.
ROUTINE: Final = timedelta(days=3)
_IS_ROUTINE: Final = (
    (Run.queue == Queue.UPKEEP)
    & (Run.started_by == StartedBy.CLOCK)
    & (Run.state == State.SUCCEEDED)
)


def delete_old(store: Store, keep: timedelta, now: datetime) -> dict[str, int]:
    """Delete what has been over for longer than ``keep``; how many rows of each table.

    Routine runs, of upkeep that went well, go after :data:`ROUTINE`.

    What was metered stays, and so does what is known of guests: that has rules of its own.
    """
    before = now - keep
    return {
        "runs": _in_batches(store, lambda session: _delete_runs(session, before)),
        "routine": _in_batches(
            store, lambda session: _delete_runs(session, now - min(keep, ROUTINE), _IS_ROUTINE)
        ),
        "inbound_events": _in_batches(
            store, lambda session: _oldest(session, InboundEvent, InboundEvent.received_at, before)
        ),
        "commands": _in_batches(store, lambda session: _delete_commands(session, before)),
        "audit": _in_batches(
            store, lambda session: _oldest(session, AuditEntry, AuditEntry.at, before)
        ),
    }


def free_keys(session: Session, now: datetime) -> int:
    """Free the idempotency keys that count no more; how many."""
    freed = session.scalars(
        update(Run)
        .where(Run.idempotency_key.is_not(None), Run.key_expires_at <= now)
        .values(idempotency_key=None)
        .returning(Run.seq)
    )
    return len(freed.all())


def _in_batches(store: Store, delete_some: Callable[[Session], int]) -> int:
    deleted = 0
    while True:
        with store.writing() as session:
            some = delete_some(session)
        deleted += some
        if some < BATCH:
            return deleted


def _delete_runs(session: Session, before: datetime, *of: ColumnElement[bool]) -> int:
    # `not_before` is in the index, and no run is finished before it.
    query = (
        select(Run.run_id)
        .where(Run.state.in_(FINISHED), Run.not_before < before, Run.finished_at < before, *of)
        .limit(BATCH)
    )
    run_ids = session.scalars(query).all()
    for table in (Step, RunLog, Run):
        session.execute(delete(table).where(table.run_id.in_(run_ids)))
    return len(run_ids)


def _oldest(
    session: Session,
    table: type[Any],
    moment: InstrumentedAttribute[datetime],
    before: datetime,
) -> int:
    """Of a table whose rows are numbered as they come: the first of them."""
    rows = session.execute(select(table.seq, moment).order_by(table.seq).limit(BATCH)).all()
    return _delete(session, table, [seq for seq, at in rows if at < before])


def _delete_commands(session: Session, before: datetime) -> int:
    query = (
        select(Command.seq)
        .where(Command.state != CommandState.OFFERED, Command.settled_at < before)
        .limit(BATCH)
    )
    return _delete(session, Command, session.scalars(query).all())


def _delete(session: Session, table: type[Any], numbers: Sequence[int]) -> int:
    session.execute(delete(table).where(table.seq.in_(numbers)))
    return len(numbers)

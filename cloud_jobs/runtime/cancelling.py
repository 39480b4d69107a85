"""Cancelling: what waits at once, what works at its next step."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cloud_jobs.store.runs import Run, State

_WAITING = (State.QUEUED, State.PAUSED)


def cancel(session: Session, run_id: str, now: datetime) -> State | None:
    """Cancel a run; the state that it is in then, None if there is no such run.

    ``cancelled``: it doesn't run any more. ``running``: it is asked to end, and does at its next
    step; what it has begun it finishes, and if that was all, it succeeds. Any other: it was over.
    """
    found = session.scalar(select(Run.state).where(Run.run_id == run_id).with_for_update())
    if found is None:
        return None
    state = State(found)
    mine = update(Run).where(Run.run_id == run_id)
    if state in _WAITING:
        session.execute(mine.values(state=State.CANCELLED, finished_at=now, cancel_asked=True))
        return State.CANCELLED
    if state is State.RUNNING:
        session.execute(mine.values(cancel_asked=True))
    return state

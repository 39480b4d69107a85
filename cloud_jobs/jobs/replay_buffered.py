"""What failed because a service didn't answer is tried again for a day, ever more seldom.

A run tries itself again for half a minute. An outage is longer; what it was to do for a guest is
still to be done. What the clock starts is left alone, for its next tick does it, and so is what was
refused for good. A replay goes on behind the steps that were finished, so nothing is done twice.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from cloud_jobs.runtime.job import Every, Nothing, Queue, RunContext, job
from cloud_jobs.runtime.replaying import replay
from cloud_jobs.store.runs import Run, StartedBy, State

# How errors are called that may be gone another time; see `cloud_jobs.runtime.retrying`.
PASSING: Final = ("RetryableError", "UnavailableError", "TimeLimitExceeded")
SHORTEST_WAIT: Final = timedelta(minutes=5)
# What was to be told yesterday is not to be told today; a person may still want it.
GIVEN_UP_AFTER: Final = timedelta(days=1)
_AT_ONCE: Final = 200


@job("replay-buffered", Every(timedelta(minutes=5)), queue=Queue.UPKEEP, payload=Nothing)
def replay_buffered(run: RunContext, _: Nothing) -> dict[str, int]:
    """Replay what is due, and at once what failed before its job worked again."""
    now = datetime.now(UTC)
    with run.store.writing() as session:
        due = [one.run_id for one in _failed(session, now) if _is_due(session, one, now)]
        for run_id in due:
            replay(
                session,
                run_id,
                seal=run.seal,
                jobs=run.jobs,
                zone=run.settings.zone,
                now=now,
                keep_steps=True,
            )
    return {"replayed": len(due)}


def _failed(session: Session, now: datetime) -> list[Run]:
    other = aliased(Run)
    query = (
        select(Run)
        .where(
            Run.state.in_([State.FAILED, State.TIMED_OUT]),
            Run.error_kind.in_(PASSING),
            Run.started_by != StartedBy.CLOCK,
            Run.finished_at > now - GIVEN_UP_AFTER,
            ~exists().where(other.replay_of == Run.run_id),
        )
        .order_by(Run.seq)
        .limit(_AT_ONCE)
    )
    return list(session.scalars(query))


def _is_due(session: Session, failed: Run, now: datetime) -> bool:
    """After as long again as it has been tried for; and not a day after it began."""
    begun, ended = _first(session, failed).created_at, failed.finished_at
    if ended is None or now - begun >= GIVEN_UP_AFTER:
        return False
    if now - ended >= max(SHORTEST_WAIT, ended - begun):
        return True
    works = exists().where(
        Run.job == failed.job, Run.state == State.SUCCEEDED, Run.started_at > ended
    )
    return bool(session.scalar(select(works)))


def _first(session: Session, run: Run) -> Run:
    """The run that this one is a replay of a replay of."""
    while run.replay_of is not None:
        before = session.scalar(select(Run).where(Run.run_id == run.replay_of))
        if before is None:
            return run  # deleted with its time
        run = before
    return run

"""``/api/pause`` and ``/api/resume``: which queues take runs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.web.clients import Caller, Scope, caller
from app.web.problems import documented
from cloud_jobs.api.parts import Parts, utc_now
from cloud_jobs.exchange import audit
from cloud_jobs.runtime import pausing
from cloud_jobs.runtime.job import PAUSABLE, Queue

_Who = Annotated[Caller, Depends(caller(Scope.QUEUES))]
Pausable = Literal["intake", "watch", "notices", "reports", "all"]


class ToResume(BaseModel):
    """Which queue: one, or all that can be paused."""

    model_config = ConfigDict(extra="forbid", strict=True)

    queue: Pausable


class ToPause(ToResume):
    """And why."""

    # Not \S: what is a space differs between the readers of a schema.
    reason: str = Field(min_length=1, max_length=200, pattern="[0-9A-Za-zÀ-ÿ]")


class QueueState(BaseModel):
    """A queue; the rest is there while it is paused."""

    queue: Queue
    paused: bool
    since: datetime | None = None
    by: str | None = None
    reason: str | None = None


def queue_routes(parts: Parts) -> APIRouter:
    """The routes; both of scope ``queues``."""
    router = APIRouter(prefix="/api", tags=["queues"], responses=documented())

    @router.post("/pause", summary="Pause a queue: what comes is kept, and runs afterwards")
    def pause(asked: ToPause, who: _Who) -> list[QueueState]:
        now = utc_now()
        with parts.store.writing(durable=True) as session:
            queues = _queues(asked.queue)
            for queue in pausing.pause(session, queues, who.name, asked.reason, now):
                _audit(session, who, "queue.paused", queue, now)
            return _states(session)

    @router.post("/resume", summary="Go on with a queue, at once")
    def resume(asked: ToResume, who: _Who) -> list[QueueState]:
        now = utc_now()
        with parts.store.writing(durable=True) as session:
            queues = _queues(asked.queue)
            resting = pausing.paused(session)
            run_ids = pausing.resume(session, queues, who.name, now)
            for queue in resting.keys() & queues:
                _audit(session, who, "queue.resumed", queue, now)
            states = _states(session)
        parts.dispatch(run_ids)
        return states

    return router


def _queues(asked: Pausable) -> Sequence[Queue]:
    return PAUSABLE if asked == "all" else (Queue(asked),)


def _states(session: Session) -> list[QueueState]:
    resting = pausing.paused(session)
    return [
        QueueState(queue=queue, paused=False)
        if (row := resting.get(queue)) is None
        else QueueState(queue=queue, paused=True, since=row.since, by=row.by, reason=row.reason)
        for queue in Queue
    ]


def _audit(session: Session, who: Caller, action: str, queue: Queue, now: datetime) -> None:
    audit.record(
        session,
        actor=who.name,
        action=action,
        target=queue,
        request_id=who.request_id,
        address=who.address,
        now=now,
    )

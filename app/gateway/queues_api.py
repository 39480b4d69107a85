"""``/api/queues``: what is paused, and pausing and resuming it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from app.messages import audit, pausing
from app.messages.pausing import Queue
from app.store.database import Connection, Database
from app.web.clients import Caller, Scope, caller
from app.web.problems import documented

Who = Annotated[Caller, Depends(caller(Scope.QUEUES))]


class PauseRequest(BaseModel):
    """Why it is paused."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str = Field(min_length=1, max_length=200, pattern=r"\S")


class QueueState(BaseModel):
    """A queue; the rest is there while it is paused."""

    queue: Queue
    paused: bool
    since: datetime | None = None
    by: str | None = None
    reason: str | None = None


def queue_routes(database: Database) -> APIRouter:
    """The routes; all of scope ``queues``."""
    router = APIRouter(prefix="/api/queues", tags=["queues"], responses=documented())

    @router.get("", summary="The queues, and what is paused")
    def show(_who: Who) -> list[QueueState]:
        return _states(database)

    @router.post("/{queue}/pause", summary="Pause a queue: what is in it waits, in order")
    def pause(queue: Queue, asked: PauseRequest, who: Who) -> QueueState:
        with database.transaction() as connection:
            if pausing.pause(connection, queue, who.name, asked.reason):
                _audit(connection, who, "queue.paused", queue)
        return _state(database, queue)

    @router.post("/{queue}/resume", summary="Go on with a queue, at once")
    def resume(queue: Queue, who: Who) -> QueueState:
        with database.transaction() as connection:
            if pausing.resume(connection, queue):
                _audit(connection, who, "queue.resumed", queue)
        return _state(database, queue)

    return router


def _states(database: Database) -> list[QueueState]:
    paused = {pause.queue: pause for pause in pausing.paused(database)}
    return [
        QueueState(queue=queue, paused=False)
        if (pause := paused.get(queue)) is None
        else QueueState(
            queue=queue, paused=True, since=pause.since, by=pause.by, reason=pause.reason
        )
        for queue in Queue
    ]


def _state(database: Database, queue: Queue) -> QueueState:
    return next(state for state in _states(database) if state.queue is queue)


def _audit(connection: Connection, who: Caller, action: str, queue: Queue) -> None:
    audit.record(
        connection,
        actor=who.name,
        action=action,
        target=queue,
        request_id=who.request_id,
        address=who.address,
    )

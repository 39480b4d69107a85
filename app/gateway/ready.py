"""``GET /ready``: whether this node can do its work, and what it is about."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Final

import redis
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from app.ha.spool import Spool
from app.leading import Role, leadership_of
from app.messages.pausing import Queue
from app.providers.breaker import BreakerState
from app.settings import Settings
from app.store.database import Database, DatabaseError
from app.web.latency import Latency, timed
from app.work.broker import DeskBroker
from app.work.picture import Picture, take

# What a caller who is told 503 should wait: as long as a breaker rests.
RETRY_AFTER: Final = "30"


class Backlog(BaseModel):
    """What waits; ages in seconds, 0 where nothing does."""

    unanswered: int
    oldest_unanswered_seconds: float
    unsent: int
    oldest_unsent_seconds: float


class Readiness(BaseModel):
    """``ready``: it can work. Breakers that are not closed and paused queues don't change that:
    what is theirs waits, and the rest goes on."""

    ready: bool
    role: Role
    node: str
    version: str
    parts: dict[str, Latency]
    breakers: dict[str, BreakerState] = {}
    paused: list[Queue] = []
    backlog: Backlog | None = None


Ask = Callable[[], Readiness]


def leader_readiness(settings: Settings, database: Database, broker: DeskBroker) -> Ask:
    """A leader can work when its database and Redis answer."""

    def ask() -> Readiness:
        pictures: list[Picture] = []
        parts = {
            "database": timed(lambda: pictures.append(take(database)), DatabaseError),
            "redis": timed(broker.client.ping, redis.RedisError),
        }
        found = _readiness(settings, parts)
        return _with_picture(found, pictures[0]) if pictures else found

    return ask


def standby_readiness(settings: Settings, spool: Spool, leader_takes: Callable[[], bool]) -> Ask:
    """A standby can work when its spool takes what comes; the leader is told of beside that.

    ``leader_takes``: as in :func:`app.gateway.health.standby_probe`.
    """

    def ask() -> Readiness:
        parts = {"spool": timed(spool.count, DatabaseError), "leader": Latency(ok=leader_takes())}
        found = _readiness(settings, parts)
        return found.model_copy(update={"ready": parts["spool"].ok})

    return ask


def ready_routes(ask: Ask) -> APIRouter:
    """The route; open to all, as it says nothing of any guest."""
    router = APIRouter(tags=["health"])

    @router.get(
        "/ready",
        summary="Whether this node can work",
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": "It can't; come back later."}},
    )
    async def ready() -> JSONResponse:
        found = await run_in_threadpool(ask)
        body = found.model_dump(mode="json", exclude_none=True)
        if found.ready:
            return JSONResponse(body)
        return JSONResponse(body, status_code=503, headers={"Retry-After": RETRY_AFTER})

    return router


def _readiness(settings: Settings, parts: dict[str, Latency]) -> Readiness:
    return Readiness(
        ready=all(part.ok for part in parts.values()),
        role=leadership_of(settings).standing().role,
        node=settings.node_name,
        version=version("portiere"),
        parts=parts,
    )


def _with_picture(found: Readiness, picture: Picture) -> Readiness:
    answers, sends = picture.waiting["answers"], picture.waiting["sends"]
    return found.model_copy(
        update={
            "breakers": {one.name: BreakerState(one.state) for one in picture.breakers},
            "paused": [pause.queue for pause in picture.paused],
            "backlog": Backlog(
                unanswered=answers.rows,
                oldest_unanswered_seconds=answers.oldest.total_seconds(),
                unsent=sends.rows,
                oldest_unsent_seconds=sends.oldest.total_seconds(),
            ),
        }
    )

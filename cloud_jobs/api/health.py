"""``/health`` and ``/ready``: how the cloud layer is, without a word about any guest."""

import time
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Final

import redis
from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from app.queueing import WokenBroker
from app.web.latency import Latency, timed
from cloud_jobs.api.parts import Parts, utc_now
from cloud_jobs.exchange import commands
from cloud_jobs.runtime import pausing
from cloud_jobs.runtime.job import Queue
from cloud_jobs.store.database import StoreUnavailable
from cloud_jobs.store.runs import Run, State

_STARTED: Final = time.monotonic()
_RETRY_AFTER: Final = "30"


class Health(BaseModel):
    """``status``: ok, or failing."""

    status: str
    version: str
    uptime_seconds: float
    parts: dict[str, Latency]


class Backlog(BaseModel):
    """What waits: runs that are due, and commands that the desk hasn't told of; ages in seconds."""

    runs: int
    oldest_run_seconds: float
    oldest_command_seconds: float


class Readiness(BaseModel):
    """``ready``: it can work. What is paused waits, and the rest goes on."""

    ready: bool
    version: str
    parts: dict[str, Latency]
    paused: Sequence[Queue] = ()
    backlog: Backlog | None = None


def health_routes(parts: Parts, broker: WokenBroker) -> APIRouter:
    """The routes that watchers call; open to all."""
    router = APIRouter(tags=["health"])

    @router.get(
        "/health",
        summary="How the cloud layer is",
        response_model=Health,
        responses=_failing(Health),
    )
    async def health() -> JSONResponse:
        found = await run_in_threadpool(_parts, parts, broker)
        well = all(part.ok for part in found.values())
        told = Health(
            status="ok" if well else "failing",
            version=version("portiere"),
            uptime_seconds=round(time.monotonic() - _STARTED, 1),
            parts=found,
        )
        return _answer(told, well)

    @router.get(
        "/ready",
        summary="Whether it can work",
        response_model=Readiness,
        responses=_failing(Readiness),
    )
    async def ready() -> JSONResponse:
        told = await run_in_threadpool(_readiness, parts, broker)
        return _answer(told, told.ready)

    return router


def _failing(model: type[BaseModel]) -> dict[int | str, dict[str, object]]:
    return {503: {"model": model, "description": "It can't work; come back later."}}


def _answer(told: BaseModel, well: bool) -> JSONResponse:
    body = told.model_dump(mode="json")
    if well:
        return JSONResponse(body)
    return JSONResponse(body, status_code=503, headers={"Retry-After": _RETRY_AFTER})


def _parts(parts: Parts, broker: WokenBroker) -> dict[str, Latency]:
    def ask_store() -> None:
        with parts.store.reading() as session:
            session.execute(text("SELECT 1"))

    return {
        "store": timed(ask_store, StoreUnavailable),
        "redis": timed(broker.client.ping, redis.RedisError),
    }


def _readiness(parts: Parts, broker: WokenBroker) -> Readiness:
    found = _parts(parts, broker)
    told = Readiness(
        ready=all(part.ok for part in found.values()), version=version("portiere"), parts=found
    )
    if not found["store"].ok:
        return told
    now = utc_now()
    with parts.store.reading() as session:
        resting = list(pausing.paused(session))
        backlog = _backlog(session, now)
    return told.model_copy(update={"paused": resting, "backlog": backlog})


def _backlog(session: Session, now: datetime) -> Backlog:
    runs, oldest = session.execute(
        select(func.count(), func.min(Run.not_before)).where(
            Run.state == State.QUEUED, Run.not_before <= now
        )
    ).one()
    return Backlog(
        runs=runs,
        oldest_run_seconds=age(oldest, now),
        oldest_command_seconds=age(commands.oldest_offered(session), now),
    )


def age(since: datetime | None, now: datetime) -> float:
    """Seconds; 0 where there is nothing."""
    return 0.0 if since is None else round((now - since).total_seconds(), 3)

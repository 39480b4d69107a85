"""``GET /health``: how this node is, without a word about any guest."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version

import redis
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from app.ha.spool import Spool
from app.leading import Leadership, leadership_of
from app.settings import Settings
from app.store.database import Database, DatabaseError, now_ms
from app.web.latency import timed
from app.work.broker import DeskBroker

STARTED = time.monotonic()


@dataclass(frozen=True)
class Backlog:
    """Messages that wait: on the queue, unanswered, unsent; the oldest's age in seconds."""

    queued: int | None
    unanswered: int
    unsent: int
    oldest_seconds: float


Probe = Callable[[], tuple[bool, dict[str, object]]]


def leader_probe(database: Database, broker: DeskBroker) -> Probe:
    """The leader is well when its database and Redis answer."""

    def probe() -> tuple[bool, dict[str, object]]:
        store = timed(
            lambda: database.one("SELECT count(*) FROM inbox WHERE id = 0"), DatabaseError
        )
        queue = timed(broker.client.ping, redis.RedisError)
        parts: dict[str, object] = {"database": store.model_dump(), "redis": queue.model_dump()}
        if store.ok:
            parts["queue"] = asdict(_backlog(database, broker if queue.ok else None))
        return store.ok and queue.ok, parts

    return probe


def standby_probe(leadership: Leadership, spool: Spool, leader_takes: Callable[[], bool]) -> Probe:
    """The standby is well when its spool takes what comes; the leader is told of beside that.

    ``leader_takes``: whether the leader took what it was handed last. It isn't asked how it is:
    while nobody leads, two standbys would ask each other without end.
    """

    def probe() -> tuple[bool, dict[str, object]]:
        counted: list[int] = []
        store = timed(lambda: counted.append(spool.count()), DatabaseError)
        parts: dict[str, object] = {
            "leader": {"name": leadership.standing().leader, "ok": leader_takes()},
            "spool": store.model_dump(),
            "spooled": counted[0] if counted else None,
        }
        return store.ok, parts

    return probe


def health_routes(settings: Settings, probe: Probe) -> APIRouter:
    """The routes that watchers call."""
    router = APIRouter()
    leadership = leadership_of(settings)

    @router.get("/health", summary="How this node is")
    async def health() -> JSONResponse:
        well, parts = await run_in_threadpool(probe)
        return JSONResponse(
            {
                "status": "ok" if well else "failing",
                "role": leadership.standing().role,
                "node": settings.node_name,
                "version": version("portiere"),
                "uptime_seconds": round(time.monotonic() - STARTED, 1),
                **parts,
            },
            status_code=200 if well else 503,
        )

    return router


def _backlog(database: Database, broker: DeskBroker | None) -> Backlog:
    inbox = database.one(
        "SELECT count(*) AS rows, min(received_at) AS oldest FROM inbox WHERE state = 'received'"
    )
    outbox = database.one(
        "SELECT count(*) AS rows, min(created_at) AS oldest FROM outbox "
        "WHERE state IN ('pending', 'sending', 'unknown')"
    )
    rows = [row for row in (inbox, outbox) if row is not None and row["oldest"] is not None]
    now = now_ms()
    return Backlog(
        queued=broker.waiting() if broker else None,
        unanswered=inbox["rows"] if inbox else 0,
        unsent=outbox["rows"] if outbox else 0,
        oldest_seconds=max((now - row["oldest"] for row in rows), default=0) / 1000,
    )

"""``GET /health``: how this node is, without a word about any guest."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version

import httpx
import redis
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from app.settings import Settings
from app.store.database import Database, DatabaseError, now_ms
from app.work.broker import DeskBroker

STARTED = time.monotonic()
# A health check that hangs is worse than one that fails.
LEADER_TIMEOUT_SECONDS = 2


@dataclass(frozen=True)
class Part:
    """One part's state; ``latency_ms`` is how long asking it took."""

    ok: bool
    latency_ms: float | None = None
    error: str | None = None


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
        store = _timed(lambda: database.one("SELECT count(*) FROM inbox WHERE id = 0"))
        queue = _timed(broker.client.ping)
        parts: dict[str, object] = {"database": asdict(store), "redis": asdict(queue)}
        if store.ok:
            parts["queue"] = asdict(_backlog(database, broker if queue.ok else None))
        return store.ok and queue.ok, parts

    return probe


def standby_probe(leader_url: str) -> Probe:
    """The standby is well when it runs; whether it reaches the leader is told beside that."""

    def probe() -> tuple[bool, dict[str, object]]:
        leader = _timed(lambda: _ask(leader_url))
        return True, {"leader": asdict(leader)}

    return probe


def health_routes(settings: Settings, probe: Probe) -> APIRouter:
    """The routes that watchers call."""
    router = APIRouter()

    @router.get("/health", summary="How this node is")
    async def health() -> JSONResponse:
        well, parts = await run_in_threadpool(probe)
        return JSONResponse(
            {
                "status": "ok" if well else "failing",
                "role": settings.role,
                "node": settings.node_name,
                "version": version("portiere"),
                "uptime_seconds": round(time.monotonic() - STARTED, 1),
                **parts,
            },
            status_code=200 if well else 503,
        )

    return router


def _timed(ask: Callable[[], object]) -> Part:
    start = time.perf_counter()
    try:
        ask()
    except (DatabaseError, redis.RedisError, httpx.HTTPError) as error:
        return Part(False, error=type(error).__name__)
    return Part(True, latency_ms=round((time.perf_counter() - start) * 1000, 2))


def _ask(leader_url: str) -> None:
    httpx.get(f"{leader_url.rstrip('/')}/health", timeout=LEADER_TIMEOUT_SECONDS).raise_for_status()


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

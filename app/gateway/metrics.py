"""``GET /metrics`` for Prometheus: docs/metrics.md names them all.

What is true of the node is read from its database and Redis at each scrape, so all processes say
the same. Requests are counted by each process; several add them up in files, in the directory that
`app.gateway.serving` has emptied.
"""

import os
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Annotated, Final, TypeVar

import redis
from fastapi import APIRouter, Depends
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.responses import Response

from app.backup.figures import backup_metrics
from app.ha.figures import ha_metrics
from app.ha.mirroring import COUNTED as MIRRORED
from app.leading import leadership_of
from app.messages.pausing import Queue
from app.messages.peers import Peer, PeerState
from app.providers.breaker import BreakerState
from app.settings import Settings
from app.store.database import Database, DatabaseError
from app.web.clients import Caller, Scope, caller
from app.web.counting import COUNTED
from app.web.gauges import Samples, gauge
from app.web.problems import documented
from app.work.broker import DeskBroker
from app.work.picture import Picture, take

T = TypeVar("T")
_Who = Annotated[Caller, Depends(caller(Scope.METRICS))]
_SEVERAL: Final = "PROMETHEUS_MULTIPROC_DIR"


class NodeCollector(Collector):
    """What stands in the database and in Redis, asked at each scrape."""

    def __init__(self, settings: Settings, database: Database, broker: DeskBroker) -> None:
        self._settings = settings
        self._database = database
        self._broker = broker

    def collect(self) -> Iterator[Metric]:
        """Called by the registry. A part that doesn't answer says so and nothing else."""
        yield gauge("portiere_info", "What runs here.", _info(self._settings))
        yield from ha_metrics(self._settings)
        yield from backup_metrics(self._settings)
        picture = _try(lambda: take(self._database))
        up = {("database",): float(picture is not None)}
        queued = _try(self._broker.waiting)
        up["redis",] = float(queued is not None)
        yield gauge("portiere_up", "Whether a part answers.", (("part",), up))
        if queued is not None:
            yield gauge("portiere_queue_messages", "Messages on the queue.", ((), {(): queued}))
        if picture is not None:
            yield from _of_picture(picture)
            size = self._database.path.stat().st_size
            yield gauge("portiere_database_bytes", "Size of the SQLite file.", ((), {(): size}))


class StandbyCollector(Collector):
    """What is known without the desk's database."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[Metric]:
        """Called by the registry."""
        yield gauge("portiere_info", "What runs here.", _info(self._settings))
        yield from ha_metrics(self._settings)
        yield from backup_metrics(self._settings)


def metrics_routes(settings: Settings, database: Database, broker: DeskBroker) -> APIRouter:
    """The route; of scope ``metrics``."""
    return _routes(NodeCollector(settings, database, broker))


def standby_metrics_routes(settings: Settings) -> APIRouter:
    """The route of a standby, which has no database to ask."""
    return _routes(StandbyCollector(settings))


def _routes(collector: Collector) -> APIRouter:
    router = APIRouter(tags=["health"], responses=documented())
    registry = CollectorRegistry()
    registry.register(collector)
    if _SEVERAL in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # it has no types there
    else:
        for metric in (*COUNTED, *MIRRORED):
            registry.register(metric)

    @router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
    def metrics(_who: _Who) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _of_picture(picture: Picture) -> Iterator[Metric]:
    waiting = picture.waiting.items()
    rows: Samples = (("what",), {(name,): one.rows for name, one in waiting})
    yield gauge("portiere_waiting", "Rows that wait.", rows)
    oldest: Samples = (("what",), {(name,): one.oldest.total_seconds() for name, one in waiting})
    yield gauge("portiere_oldest_seconds", "How long the oldest of them has waited.", oldest)
    paused = {pause.queue for pause in picture.paused}
    queues: Samples = (("queue",), {(queue,): float(queue in paused) for queue in Queue})
    yield gauge("portiere_paused", "Whether a queue is paused.", queues)
    states: Samples = (
        ("breaker", "state"),
        {
            (one.name, state): float(one.state == state)
            for one in picture.breakers
            for state in BreakerState
        },
    )
    yield gauge("portiere_breaker", "The state that a breaker is in.", states)
    yield from _of_peers(picture.peers)


def _of_peers(peers: list[Peer]) -> Iterator[Metric]:
    labels = ("peer", "path")
    known = [peer for peer in peers if peer.state is not PeerState.UNKNOWN]
    up = {(peer.name, peer.path): float(peer.state is PeerState.UP) for peer in known}
    yield gauge("portiere_peer_up", "Whether a peer is up.", (labels, up))
    latency = {
        (peer.name, peer.path): peer.latency.total_seconds() for peer in peers if peer.latency
    }
    yield gauge("portiere_peer_seconds", "How long its last answer took.", (labels, latency))


def _info(settings: Settings) -> Samples:
    role = leadership_of(settings).standing().role
    values = (version("portiere"), role, settings.node_name, settings.provider)
    return ("version", "role", "node", "provider"), {values: 1}


def _try(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except (DatabaseError, redis.RedisError):
        return None

"""``GET /metrics`` for Prometheus: docs/cloud-api.md names them all.

What is true of the cloud layer is read from its store and Redis at each scrape; only requests are
counted by this process.
"""

from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Annotated, TypeVar

import redis
from fastapi import APIRouter, Depends
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.queueing import WokenBroker
from app.web.clients import Caller, Scope, caller
from app.web.counting import COUNTED
from app.web.gauges import Samples, gauge
from app.web.problems import documented
from cloud_jobs.api.health import age
from cloud_jobs.api.lease_metrics import lease_metrics
from cloud_jobs.api.offering import Offering
from cloud_jobs.api.parts import Parts, utc_now
from cloud_jobs.api.upkeep_metrics import upkeep_metrics
from cloud_jobs.exchange import commands
from cloud_jobs.exchange.authority import Authority
from cloud_jobs.exchange.commands import CommandState
from cloud_jobs.runtime import pausing
from cloud_jobs.runtime.job import PAUSABLE
from cloud_jobs.store.database import StoreUnavailable
from cloud_jobs.store.exchange import Command, InboundEvent
from cloud_jobs.store.runs import Run

T = TypeVar("T")
_Who = Annotated[Caller, Depends(caller(Scope.METRICS))]


class CloudCollector(Collector):
    """What stands in the store and in Redis, asked at each scrape."""

    def __init__(
        self, parts: Parts, broker: WokenBroker, offering: Offering, authority: Authority
    ) -> None:
        self._parts = parts
        self._broker = broker
        self._offering = offering
        self._authority = authority

    def collect(self) -> Iterator[Metric]:
        """Called by the registry. A part that doesn't answer says so and nothing else."""
        info: Samples = (("version",), {(version("portiere"),): 1})
        yield gauge("portiere_cloud_info", "What runs here.", info)
        stored = _try(self._stored)
        queued = _try(self._broker.waiting)
        up = {("store",): float(stored is not None), ("redis",): float(queued is not None)}
        yield gauge("portiere_cloud_up", "Whether a part answers.", (("part",), up))
        if queued is not None:
            yield _one("portiere_cloud_queue_messages", "Messages on the queue.", queued)
        polled = self._offering.seconds_since_asked()
        if polled is not None:
            yield _one("portiere_cloud_asked_seconds", "Since the node asked for commands.", polled)
        yield from stored or ()

    def _stored(self) -> list[Metric]:
        with self._parts.store.reading() as session:
            upkeep = upkeep_metrics(session, self._parts.settings, utc_now())
            found = [*_runs(session), *_commands(session), *self._node(session), *upkeep]
        return [*found, *lease_metrics(self._authority)]

    def _node(self, session: Session) -> Iterator[Metric]:
        heard = session.scalar(
            select(InboundEvent.received_at)
            .where(InboundEvent.source == self._parts.settings.node)
            .order_by(InboundEvent.seq.desc())
            .limit(1)
        )
        if heard is not None:
            seconds = age(heard, utc_now())
            yield _one("portiere_cloud_told_seconds", "Since the desk told something.", seconds)


def metrics_routes(
    parts: Parts, broker: WokenBroker, offering: Offering, authority: Authority
) -> APIRouter:
    """The route; of scope ``metrics``."""
    router = APIRouter(tags=["health"], responses=documented())
    registry = CollectorRegistry()
    registry.register(CloudCollector(parts, broker, offering, authority))
    for metric in COUNTED:
        registry.register(metric)

    @router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
    def metrics(_who: _Who) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _runs(session: Session) -> Iterator[Metric]:
    # By the day first: an index has these three, so no row of 100,000 is looked at.
    key = Run.day, Run.job, Run.state
    days = select(*key, func.count().label("runs")).group_by(*key).subquery()
    rows = session.execute(
        select(days.c.job, days.c.state, func.sum(days.c.runs)).group_by(days.c.job, days.c.state)
    )
    runs: Samples = (("job", "state"), {(job, state): float(count) for job, state, count in rows})
    yield gauge("portiere_cloud_runs", "Runs that are kept, by job and state.", runs)
    resting = pausing.paused(session)
    queues: Samples = (("queue",), {(queue,): float(queue in resting) for queue in PAUSABLE})
    yield gauge("portiere_cloud_paused", "Whether a queue is paused.", queues)


def _commands(session: Session) -> Iterator[Metric]:
    offered = Command.state == CommandState.OFFERED
    count = session.scalar(select(func.count()).select_from(Command).where(offered)) or 0
    yield _one("portiere_cloud_commands", "Commands that the desk has not told of.", count)
    oldest = age(commands.oldest_offered(session), utc_now())
    yield _one("portiere_cloud_command_seconds", "How long the oldest has waited.", oldest)


def _one(name: str, what: str, value: float) -> Metric:
    return gauge(name, what, ((), {(): value}))


def _try(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except (StoreUnavailable, redis.RedisError):
        return None

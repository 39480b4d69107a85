"""The cloud's API: FastAPI over the store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from app.heap import settle_heap
from app.sealing import Seal
from app.web.counting import Counting
from app.web.gate import Gate
from app.web.problems import answer_with_problems
from app.web.request_ids import RequestIds
from cloud_jobs.api.commands_api import command_routes
from cloud_jobs.api.events_api import event_routes
from cloud_jobs.api.health import health_routes
from cloud_jobs.api.lease_api import lease_routes
from cloud_jobs.api.listening import Listening
from cloud_jobs.api.metrics import metrics_routes
from cloud_jobs.api.offering import Offering
from cloud_jobs.api.parts import Parts
from cloud_jobs.api.queues_api import queue_routes
from cloud_jobs.api.runs_api import run_routes
from cloud_jobs.api.smoobu_webhook import smoobu_route
from cloud_jobs.api.stats_api import stats_routes
from cloud_jobs.exchange.authority import Authority
from cloud_jobs.exchange.lease import Rules
from cloud_jobs.exchange.ledger import StoreLedger
from cloud_jobs.jobs.all import all_jobs
from cloud_jobs.runtime.broker import Dispatcher, make_broker
from cloud_jobs.runtime.job import Jobs
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.database import Store, StoreUnavailable


def make_app(settings: CloudSettings, jobs: Jobs | None = None) -> FastAPI:
    """The API over a store that has its tables; ``jobs`` are all that there are, by default.

    ``state.listening``: whoever ends the process lets the long polls go by it.
    """
    redis_url = settings.redis_url.get_secret_value()
    store = Store(settings.store_url.get_secret_value())
    broker = make_broker(redis_url)
    dispatcher = Dispatcher(broker)
    seal = Seal(settings.seal_key_bytes, b"")  # of guests the cloud has only the index
    parts = Parts(settings, store, seal, jobs or all_jobs(settings), dispatcher)
    listening = Listening(redis_url)
    offering = Offering(parts, listening)
    rules = Rules(settings.lease_ttl.total_seconds(), settings.lease_grace.total_seconds())
    authority = Authority(store, rules)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        dispatcher.start()
        async with listening.running():
            settle_heap()
            yield
        dispatcher.stop()
        store.close()

    app = FastAPI(
        title="Portiere cloud",
        version=version("portiere"),
        lifespan=lifespan,
        # The document comes from the command line; the open door shows nothing it need not.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.listening = listening
    answer_with_problems(app, StoreUnavailable)
    app.add_middleware(Gate, settings=settings, redis_url=redis_url, ledger=StoreLedger(store))
    app.add_middleware(RequestIds)
    app.add_middleware(Counting, routes=app.routes)  # the outermost: what is refused counts, too
    app.router.routes.append(smoobu_route(parts))
    app.include_router(health_routes(parts, broker))
    app.include_router(metrics_routes(parts, broker, offering, authority))
    app.include_router(event_routes(parts))
    app.include_router(command_routes(parts, offering))
    app.include_router(lease_routes(parts, authority))
    app.include_router(queue_routes(parts))
    app.include_router(run_routes(parts))
    app.include_router(stats_routes(parts))
    return app

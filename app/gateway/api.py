"""The gateway: FastAPI over the inbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route

from app.commands.store import Commands, Taken
from app.events.outgoing import Events
from app.gateway.commands_api import command_routes
from app.gateway.counting import Counting
from app.gateway.dead_letters_api import dead_letter_routes
from app.gateway.desk_api import desk_routes
from app.gateway.events_api import event_routes
from app.gateway.gate import Gate
from app.gateway.health import health_routes, leader_probe, standby_probe
from app.gateway.metrics import metrics_routes
from app.gateway.problems import answer_with_problems
from app.gateway.queues_api import queue_routes
from app.gateway.ready import leader_readiness, ready_routes, standby_readiness
from app.gateway.request_ids import RequestIds
from app.gateway.webhooks import Door, LeaderDoor, StandbyDoor, closed_route, webhook_route
from app.gateway.whatsapp import verification_route
from app.heap import settle_heap
from app.messages.dead_letters import DeadLetters
from app.messages.events import InboundMessage
from app.messages.inbox import Accepted, Inbox
from app.providers.registry import WEBHOOKS
from app.settings import ProviderName, Role, Settings
from app.store.checkpoints import Checkpoints
from app.store.database import open_database
from app.store.group_commit import GroupCommit
from app.store.seal import Seal
from app.work.broker import make_broker
from app.work.jobs import Job
from app.work.relay import Dispatcher


def make_app(settings: Settings) -> FastAPI:
    """The gateway of a leader or of a standby."""
    return _leader(settings) if settings.role is Role.LEADER else _standby(settings)


def _leader(settings: Settings) -> FastAPI:
    database = open_database(settings.database)
    seal = Seal(settings.seal_key_bytes, settings.index_key_bytes)
    inbox = Inbox(database, seal, settings.relay_grace)
    commands = Commands(database, seal, settings.relay_grace)
    broker = make_broker(settings.redis_url.get_secret_value(), [])
    dispatcher = Dispatcher(broker)

    def dispatch(group: list[list[Accepted] | Taken]) -> None:
        for kept in group:
            if isinstance(kept, Taken):
                _dispatch_command(dispatcher, kept)
            else:
                _dispatch_messages(dispatcher, kept)

    commits = GroupCommit(database, dispatch)
    checkpoints = Checkpoints(database)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        dispatcher.start()
        commits.start()
        checkpoints.start()
        settle_heap()
        yield
        checkpoints.stop()
        commits.stop()
        dispatcher.stop()

    app = _app(lifespan)
    app.add_middleware(Gate, settings=settings, database=database)
    app.add_middleware(RequestIds)
    app.add_middleware(Counting, routes=app.routes)  # the outermost: what is refused counts, too
    app.router.routes += _webhook_routes(LeaderDoor(inbox, commits), settings)
    app.include_router(health_routes(settings, leader_probe(database, broker)))
    app.include_router(ready_routes(leader_readiness(settings, database, broker)))
    app.include_router(metrics_routes(settings, database, broker))
    app.include_router(queue_routes(database))
    app.include_router(dead_letter_routes(database, DeadLetters(database, seal)))
    app.include_router(event_routes(Events(database, seal, settings.cloud_url is not None)))
    app.include_router(command_routes(commands, commits))
    app.include_router(desk_routes(settings, database, broker))
    return app


def _dispatch_messages(dispatcher: Dispatcher, kept: list[Accepted]) -> None:
    for accepted in kept:
        if accepted.row_id is not None and isinstance(accepted.content, InboundMessage):
            dispatcher.put(Job.ANSWER_MESSAGE, accepted.row_id)


def _dispatch_command(dispatcher: Dispatcher, taken: Taken) -> None:
    if taken.is_new:
        dispatcher.put(Job.RUN_COMMAND, taken.row_id)


def _standby(settings: Settings) -> FastAPI:
    leader_url = str(settings.leader_url)
    door = StandbyDoor(leader_url, WEBHOOKS[settings.provider])

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await door.close()

    app = _app(lifespan)
    app.add_middleware(RequestIds)
    app.router.routes += _webhook_routes(door, settings)
    app.include_router(health_routes(settings, standby_probe(leader_url)))
    app.include_router(ready_routes(standby_readiness(settings)))
    return app


def _webhook_routes(door: Door, settings: Settings) -> list[Route]:
    webhook = WEBHOOKS[settings.provider]
    routes = [webhook_route(door, webhook, settings.webhook_secrets)]
    if settings.provider is ProviderName.WHATSAPP_CLOUD:
        token = settings.whatsapp_verify_token.get_secret_value()
        routes.append(verification_route(webhook, token))
    others = [other for name, other in WEBHOOKS.items() if name is not settings.provider]
    return routes + [closed_route(other) for other in others]


def _app(lifespan: Any) -> FastAPI:
    app = FastAPI(
        title="Portiere gateway",
        version=version("portiere"),
        lifespan=lifespan,
        # The document comes from the command line; the open door shows nothing it need not.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    answer_with_problems(app)
    return app

"""The gateway: FastAPI over the inbox, on the addresses it is given."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from itertools import chain
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.routing import Route

from app.gateway.health import health_routes, leader_probe, standby_probe
from app.gateway.webhooks import Door, LeaderDoor, StandbyDoor, closed_route, webhook_route
from app.gateway.whatsapp import verification_route
from app.heap import settle_heap
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

log = structlog.get_logger()
# More waiting connections than a burst of webhooks has.
LISTEN_BACKLOG = 512


def make_app(settings: Settings) -> FastAPI:
    """The gateway of a leader or of a standby."""
    return _leader(settings) if settings.role is Role.LEADER else _standby(settings)


def _leader(settings: Settings) -> FastAPI:
    database = open_database(settings.database)
    inbox = Inbox(
        database, Seal(settings.seal_key_bytes, settings.index_key_bytes), settings.relay_grace
    )
    broker = make_broker(settings.redis_url.get_secret_value(), [])
    dispatcher = Dispatcher(broker)

    def dispatch(group: list[list[Accepted]]) -> None:
        for accepted in chain.from_iterable(group):
            if accepted.row_id is not None and isinstance(accepted.content, InboundMessage):
                dispatcher.put(Job.ANSWER_MESSAGE, accepted.row_id)

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
    app.router.routes += _webhook_routes(LeaderDoor(inbox, commits), settings)
    app.include_router(health_routes(settings, leader_probe(database, broker)))
    return app


def _standby(settings: Settings) -> FastAPI:
    leader_url = str(settings.leader_url)
    door = StandbyDoor(leader_url, WEBHOOKS[settings.provider])

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await door.close()

    app = _app(lifespan)
    app.router.routes += _webhook_routes(door, settings)
    app.include_router(health_routes(settings, standby_probe(leader_url)))
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
    return FastAPI(
        title="Portiere gateway",
        version=version("portiere"),
        lifespan=lifespan,
        # The document comes from the command line; the open door shows nothing it need not.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )


def listen(addresses: list[tuple[str, int]]) -> list[socket.socket]:
    """Bind each address. Raises OSError naming the one that can't be had."""
    sockets = []
    for host, port in addresses:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise OSError(error.errno, f"{host}:{port}: {error.strerror}") from None
        listener.listen(LISTEN_BACKLOG)
        sockets.append(listener)
    return sockets


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    sockets = listen(settings.bind_addresses)
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(settings),
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            # The tunnel is the only peer, and it keeps its connections: longer than its 90 s.
            timeout_keep_alive=120,
            timeout_graceful_shutdown=10,
        )
    )
    log.info("gateway_ready", role=settings.role, addresses=settings.gateway_bind)
    server.run(sockets=sockets)

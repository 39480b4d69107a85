"""The gateway: FastAPI over the inbox."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from app.commands.store import Commands
from app.events.outgoing import Events
from app.gateway.bare import bare_app, peer_clients
from app.gateway.commands_api import asking_routes, keeping, status_routes
from app.gateway.dead_letters_api import dead_letter_routes
from app.gateway.desk_api import desk_routes
from app.gateway.events_api import event_routes
from app.gateway.ha_api import leader_routes
from app.gateway.handover_api import handover_routes
from app.gateway.health import health_routes, leader_probe
from app.gateway.ledger import DeskLedger, LeaderLedger
from app.gateway.metrics import metrics_routes
from app.gateway.queues_api import queue_routes
from app.gateway.ready import leader_readiness, ready_routes
from app.gateway.standby import standby_app
from app.gateway.switch import Switch
from app.gateway.webhooks import LeaderDoor, webhook_routes
from app.ha.mirroring import Mirror
from app.ha.replaying import Accepting, Found, jobs_of
from app.ha.taking_in import keeper_of
from app.heap import settle_heap
from app.leading import leadership_of
from app.messages.dead_letters import DeadLetters
from app.messages.inbox import Inbox
from app.sealing import Seal
from app.settings import Settings
from app.store.checkpoints import Checkpoints
from app.store.database import open_database
from app.store.group_commit import GroupCommit
from app.web.counting import Counting
from app.web.gate import Gate
from app.web.request_ids import RequestIds
from app.work.broker import make_broker
from app.work.programs import Program, Serving
from app.work.relay import Dispatcher


def make_gateway(settings: Settings) -> ASGIApp:
    """The gateway of a node: a leader's, or one that changes with its node."""
    if not settings.ha_authority:
        return make_app(settings)
    leadership = leadership_of(settings)
    return Switch(
        leadership,
        standby_app(settings, leadership),
        lambda: make_app(settings),
        Serving(settings.ha_directory, Program.GATEWAY),
    )


def make_app(settings: Settings) -> FastAPI:
    """The gateway of a leader. When its lifespan is over, it has let go of the database."""
    leadership = leadership_of(settings)
    database = open_database(settings.database)
    seal = Seal(settings.seal_key_bytes, settings.index_key_bytes)
    inbox = Inbox(database, seal, settings.relay_grace)
    commands = Commands(database, seal, settings.relay_grace)
    broker = make_broker(settings.redis_url.get_secret_value(), [])
    dispatcher = Dispatcher(broker)

    def dispatch(group: list[Found]) -> None:
        for found in group:
            for job, row_id in jobs_of(found):
                dispatcher.put(job, row_id)

    mirror = Mirror(settings, leadership) if settings.ha_authority else None
    commits = GroupCommit(database, dispatch, mirror.begin if mirror else None)
    checkpoints = Checkpoints(database, replicated=settings.is_replicated)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        running = ExitStack()  # ended in reverse
        running.callback(database.close_all)
        running.callback(broker.client.close)
        if mirror is not None:
            mirror.start()
            running.callback(mirror.stop)
        for part in (dispatcher, commits, checkpoints):
            part.start()
            running.callback(part.stop)
        settle_heap()
        yield
        # Not here: the committing thread may be waiting for the other node.
        await run_in_threadpool(running.close)

    app = bare_app(lifespan)
    ledger = DeskLedger(database)
    app.add_middleware(
        Gate,
        settings=settings,
        redis_url=settings.redis_url.get_secret_value(),
        ledger=LeaderLedger(ledger, settings.ha_peer) if mirror else ledger,
        peers=peer_clients(settings),
    )
    app.add_middleware(RequestIds)
    app.add_middleware(Counting, routes=app.routes)  # the outermost: what is refused counts, too
    copied = mirror is not None
    door = LeaderDoor(inbox, commits, settings.provider, copied=copied)
    app.router.routes += webhook_routes(door, settings)
    app.include_router(health_routes(settings, leader_probe(database, broker)))
    app.include_router(ready_routes(leader_readiness(settings, database, broker)))
    app.include_router(metrics_routes(settings, database, broker))
    app.include_router(queue_routes(database))
    app.include_router(dead_letter_routes(database, DeadLetters(database, seal)))
    app.include_router(event_routes(Events(database, seal, settings.cloud_url is not None)))
    app.include_router(asking_routes(keeping(commands, commits, copied=copied)))
    app.include_router(status_routes(commands))
    app.include_router(desk_routes(settings, database, broker))
    if mirror is not None:
        accepting = Accepting(database, seal, settings.relay_grace)
        app.include_router(leader_routes(accepting, commits, leadership, settings.send_echo_wait))
        keeper = keeper_of(settings, database, seal)
        app.include_router(handover_routes(keeper, dispatcher.put))
    return app

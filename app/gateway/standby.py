"""The gateway of a standby: its doors keep what comes in the spool, and hand it on to the leader.

It doesn't touch the desk's database, which may be a copy that another program writes, or be gone.
"""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.gateway.bare import bare_app, peer_clients
from app.gateway.commands_api import asking_routes, spooling
from app.gateway.ha_api import standby_routes
from app.gateway.health import health_routes, standby_probe
from app.gateway.ledger import PassingLedger
from app.gateway.metrics import standby_metrics_routes
from app.gateway.ready import ready_routes, standby_readiness
from app.gateway.webhooks import StandbyDoor, webhook_routes
from app.ha.forwarding import PATH, pass_on
from app.ha.peer import Peer
from app.ha.spool import Spool
from app.leading import Leadership, Role
from app.sealing import Seal
from app.settings import Settings
from app.store.checkpoints import Checkpoints
from app.store.group_commit import GroupCommit
from app.web.counting import Counting
from app.web.gate import Gate
from app.web.problems import problem
from app.web.request_ids import RequestIds

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def standby_app(settings: Settings, leadership: Leadership) -> FastAPI:
    """The app, for as long as this node doesn't lead, or doesn't serve as a leader yet."""
    seal = Seal(settings.seal_key_bytes, settings.index_key_bytes)
    spool = Spool(settings.ha_directory / "spool.db", seal)
    peer = Peer(settings, PATH, leadership)

    def hand_on(_group: object) -> None:
        standing = leadership.standing()
        # While this node leads, or hands over, what is here is for its own database.
        if standing.role is Role.STANDBY and peer.is_up:
            pass_on(spool, peer, standing.term, settings.ha_mirror_timeout)

    of_door = GroupCommit(spool.database, hand_on)
    # The leader's commits wait for these, and what is handed on waits for the leader's commits.
    of_leader = GroupCommit(spool.database, lambda _: None)
    checkpoints = Checkpoints(spool.database, replicated=False)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        running = ExitStack()  # ended in reverse
        running.callback(spool.database.close_all)
        for part in (peer, of_door, of_leader, checkpoints):
            part.start()
            running.callback(part.stop)
        yield
        await run_in_threadpool(running.close)

    app = bare_app(lifespan)
    app.add_middleware(
        Gate,
        settings=settings,
        redis_url=None,
        ledger=PassingLedger(),
        peers=peer_clients(settings),
    )
    app.add_middleware(RequestIds)
    app.add_middleware(Counting, routes=app.routes)  # the outermost: what is refused counts, too

    def takes() -> bool:
        return peer.is_up

    door = StandbyDoor(spool, of_door, leadership, settings.provider)
    app.router.routes += webhook_routes(door, settings)
    app.include_router(health_routes(settings, standby_probe(leadership, spool, takes)))
    app.include_router(ready_routes(standby_readiness(settings, spool, takes)))
    app.include_router(standby_metrics_routes(settings))
    app.include_router(standby_routes(spool, of_leader, leadership))
    app.include_router(asking_routes(spooling(spool, of_door, leadership)))
    app.router.routes.append(_others(leadership))
    return app


def _others(leadership: Leadership) -> Route:
    """All of the API that needs the desk's database."""

    async def refuse(_: Request) -> Response:
        leader = leadership.standing().leader
        who = f"{leader} leads: ask there" if leader else "It isn't known who leads: ask again"
        return problem(503, "not-leading", f"This node doesn't lead. {who}.", {"Retry-After": "5"})

    return Route("/api/{rest:path}", refuse, methods=_METHODS)

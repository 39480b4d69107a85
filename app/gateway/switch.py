"""One gateway, two apps: the leader's while this node leads, the standby's otherwise.

The leader's app is made when the node begins to lead, and ends when it stops: then this process has
let go of the database. Until it serves, and once the node leads no longer, the standby's takes
what comes, which it always can.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

import structlog
from fastapi import FastAPI
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from app.leading import Leadership, Role, Standing
from app.work.programs import Serving

log = structlog.get_logger()
# How often to look: a look costs some microseconds.
_LOOK: Final = timedelta(seconds=0.05)
# What is under way as the node stops to lead: far more than a request takes.
PATIENCE: Final = timedelta(seconds=5)
# After a failure to become the leader's app; the standby's goes on taking what comes.
_REST: Final = timedelta(seconds=1)


class _Leading:
    """The leader's app of one term, and how many requests it has in hand."""

    def __init__(self, app: FastAPI, term: int) -> None:
        self._app = app
        self._term = term
        self._in_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def is_of(self, standing: Standing) -> bool:
        """Whether the node leads in this term still."""
        return standing.role is Role.LEADER and standing.term == self._term

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        self._in_hand += 1
        self._idle.clear()
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._idle.set()

    async def finish(self) -> None:
        """Wait until nothing is in hand; what takes longer is told that the store is closed."""
        try:
            await asyncio.wait_for(self._idle.wait(), PATIENCE.total_seconds())
        except TimeoutError:
            log.warning("requests_left", count=self._in_hand)


class Switch:
    """The ASGI app; ``make_leader`` opens the database. While the leader's can't be made where it
    should be, this process doesn't count as ``serving``."""

    def __init__(
        self,
        leadership: Leadership,
        standby: FastAPI,
        make_leader: Callable[[], FastAPI],
        serving: Serving,
    ) -> None:
        self._leadership = leadership
        self._standby = standby
        self._make_leader = make_leader
        self._serving = serving
        self._leading: _Leading | None = None
        self._stopping = asyncio.Event()
        self._settled = asyncio.Event()  # it serves as it stands, or has failed to
        self._router = Router(lifespan=self._running)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, by how this node stands at this moment."""
        if scope["type"] == "lifespan":
            await self._router.lifespan(scope, receive, send)
            return
        leading = self._leading
        if leading is not None and leading.is_of(self._leadership.standing()):
            await leading.serve(scope, receive, send)
        else:
            await self._standby(scope, receive, send)

    @asynccontextmanager
    async def _running(self, _app: object) -> AsyncIterator[None]:
        async with self._standby.router.lifespan_context(self._standby):
            watching = asyncio.create_task(self._watch())
            # Where a leader's gateway starts again, what comes meanwhile waits at the socket.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), PATIENCE.total_seconds())
            try:
                yield
            finally:
                self._stopping.set()
                await watching
                self._serving.end()

    async def _watch(self) -> None:
        while not self._stopping.is_set():
            standing = self._leadership.standing()
            if standing.role is not Role.LEADER:
                self._serving.begin()
                self._settled.set()
                await self._wait(_LOOK)
                continue
            try:
                await self._lead(standing)
            except (
                Exception
            ) as error:  # whatever it is: the standby's app serves, and it is tried again
                log.exception("leading_failed", reason=type(error).__name__)
                self._serving.end()
                self._settled.set()
                await self._wait(_REST)

    async def _lead(self, began: Standing) -> None:
        """Serve as a leader for as long as this node leads in this term."""
        app = await asyncio.to_thread(self._make_leader)
        async with app.router.lifespan_context(app):
            leading = _Leading(app, began.term)
            self._leading = leading
            self._serving.begin()
            self._settled.set()
            log.info("gateway_leads", term=began.term)
            try:
                while leading.is_of(self._leadership.standing()) and not self._stopping.is_set():
                    await self._wait(_LOOK)
            finally:
                self._leading = None
            await leading.finish()
        log.info("gateway_stands_by")

    async def _wait(self, how_long: timedelta) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), how_long.total_seconds())

"""Waiting until a command was issued, by whatever process, without a thread and without a session.

One connection of the process listens to the bell in Redis (`cloud_jobs.exchange.bell`) for all who
wait. Who waits looks into the store besides, so that Redis is no part of the promise.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import redis
import redis.asyncio
import structlog

from cloud_jobs.exchange.bell import CHANNEL

log = structlog.get_logger()
# How often who waits looks by himself: what is heard of late is late by no more than this.
LOOK: Final = timedelta(seconds=1)
# Redis tells at once that it is gone; until it is back, looking is enough.
_RECONNECT: Final = timedelta(seconds=1)
_CANCEL_AGAIN: Final = timedelta(milliseconds=100)


class Listening:
    """Hears the bell, as long as :meth:`running`."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._waiting: set[asyncio.Event] = set()
        self.is_over = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def end(self) -> None:
        """Let all go who wait: the process ends."""
        self.is_over = True
        self._tell()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen while in it."""
        task = asyncio.create_task(self._listen(), name="listening")
        try:
            yield
        finally:
            self.end()
            # The client loses a cancellation that comes while it connects.
            while not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=_CANCEL_AGAIN.total_seconds())

    @asynccontextmanager
    async def heard(self) -> AsyncIterator[asyncio.Event]:
        """An event that is set at each ring from now on; whoever waits for it clears it."""
        rung = asyncio.Event()
        self._waiting.add(rung)
        try:
            yield rung
        finally:
            self._waiting.discard(rung)

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except (redis.RedisError, OSError) as error:
                log.warning("bell_not_heard", error=type(error).__name__)
                await asyncio.sleep(_RECONNECT.total_seconds())

    async def _hear(self) -> None:
        client: Any = redis.asyncio.from_url(self._url, socket_connect_timeout=1)
        async with client, client.pubsub() as bell:
            await bell.subscribe(CHANNEL)
            async for message in bell.listen():
                # Also at the subscription: what was rung before it was not heard.
                if message["type"] in {"message", "subscribe"}:
                    self._tell()

    def _tell(self) -> None:
        for rung in self._waiting:
            rung.set()

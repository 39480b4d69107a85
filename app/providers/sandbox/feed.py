"""Hands what happens to the open phone pages (Server-Sent Events)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

# A page that has fallen this far behind is told to load everything anew.
MAX_WAITING = 500

Event = tuple[str, dict[str, Any]]


class Feed:
    """Publishes to any number of listeners; costs nothing while there are none."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[Event | None]] = set()

    @property
    def listened(self) -> bool:
        """Whether anybody listens: building an event is worth it only then."""
        return bool(self._listeners)

    def publish(self, name: str, data: dict[str, Any]) -> None:
        """Give an event to all listeners."""
        for queue in self._listeners:
            if queue.qsize() >= MAX_WAITING:
                _drain(queue)
                queue.put_nowait(("reload", {}))
            queue.put_nowait((name, data))

    async def listen(self) -> AsyncIterator[Event]:
        """Yield events until the feed is closed."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            # Whatever happened before this moment, the page asks for after it has seen this.
            yield "ready", {}
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """End all listeners: an open stream would hold up the server's shutdown."""
        for queue in self._listeners:
            queue.put_nowait(None)


def _drain(queue: asyncio.Queue[Event | None]) -> None:
    while not queue.empty():
        queue.get_nowait()

"""Counting requests: how many, how they were answered, how long that took.

Apart from `app.gateway.metrics`, which imports the whole gateway's readings: prometheus-client
decides, as these are made, whether this process counts alone.
"""

import time
from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter, Histogram
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Acceptance takes milliseconds; what takes longer than the last waits for somebody else.
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
REQUESTS: Final = Counter(
    "portiere_http_requests",
    "Requests by how they were answered.",
    ("method", "path", "status"),
    registry=None,
)
SECONDS: Final = Histogram(
    "portiere_http_seconds",
    "How long a request took.",
    ("path",),
    buckets=BUCKETS,
    registry=None,
)
COUNTED: Final = (REQUESTS, SECONDS)
# Whatever was asked for that is no route of ours: each of them would be a series of its own.
OTHER: Final = "other"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Counting:
    """ASGI middleware. ``routes`` are those whose paths may be named."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        plain = [route for route in routes if isinstance(route, Route)]
        self._paths: dict[object, str] = {route.endpoint: route.path for route in plain}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count it once it is answered or its client is gone."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def heard(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, heard)
        finally:
            path = self._path(scope)
            method = scope["method"] if scope["method"] in _METHODS else OTHER
            REQUESTS.labels(method, path, str(status)).inc()
            SECONDS.labels(path).observe(time.perf_counter() - began)

    def _path(self, scope: Scope) -> str:
        """The path as its route has it, ``/api/queues/{queue}/pause``."""
        if (route := scope.get("route")) is not None:  # FastAPI's own
            return str(route.path)
        return self._paths.get(scope.get("endpoint"), OTHER)

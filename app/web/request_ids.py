"""Each request has an id: the caller's or ours, in the answer and in every line of the log."""

import re
import traceback
from typing import Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.problems import problem

log = structlog.get_logger()
HEADER: Final = "X-Request-Id"
_GOOD: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """Outermost: gives the id, and answers for what nobody foresaw."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope.setdefault("state", {})["request_id"] = _id_of(scope)
        started = False

        async def tell(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, tell)
            except Exception as error:
                # Its message may repeat what a guest wrote; where it was raised can't.
                last = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
                log.error("request_failed", error=type(error).__name__, where=where)
                if started:
                    raise ConnectionAbortedError("the answer was under way") from None
                detail = f"It is our fault; tell us the request id {request_id}."
                await problem(500, "internal-error", detail)(scope, receive, tell)


def _id_of(scope: Scope) -> str:
    given = Headers(scope=scope).get(HEADER, "")
    return given if _GOOD.fullmatch(given) else uuid4().hex

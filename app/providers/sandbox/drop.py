"""Answers that never come: the connection is closed without a byte.

ASGI has no word for that, so the server's protocol hands its transport to the application.
"""

import asyncio

from fastapi import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TRANSPORT = "sandbox_transport"


class DroppingProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with the transport in ``scope["state"]``."""

    def connection_made(  # type: ignore[override]  # uvicorn narrows the transport's type itself
        self, transport: asyncio.Transport
    ) -> None:
        """Keep the transport where the application finds it."""
        self.app_state = {**self.app_state, TRANSPORT: transport}
        super().connection_made(transport)


class Dropped(Response):
    """Closes the connection instead of answering."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the transport; under another server than ours there is none: ``KeyError``."""
        scope["state"][TRANSPORT].close()
        # The server must know the client as gone before this returns, or it answers 500.
        while (await receive())["type"] != "http.disconnect":
            continue

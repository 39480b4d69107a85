"""A client that does nothing but write requests and read answers.

It shares the machine's cores with what is measured; an ordinary HTTP client would take as much of
them as the gateway does.
"""

import asyncio
from typing import Any

from tests.support.events import encode, signed
from tests.support.processes import WEBHOOK_SECRET


def rendered(event: dict[str, Any]) -> bytes:
    """A whole request with a signed event."""
    body = encode(event)
    headers = signed(body, WEBHOOK_SECRET) | {"Host": "bench", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /webhooks/spoki HTTP/1.1\r\n{head}\r\n".encode() + body


class Connection:
    """One kept-alive connection to the gateway; for one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._is_closing = False

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect to the gateway on loopback."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @property
    def is_closing(self) -> bool:
        """Whether the gateway said with its last answer that it closes the connection."""
        return self._is_closing

    async def post(self, request: bytes) -> None:
        """Send a rendered request. Raises RuntimeError if it isn't answered with 200."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        self._is_closing = b"connection: close" in head.lower()
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"not accepted: {head!r} {body!r}")

    async def close(self) -> None:
        """End the connection."""
        self._writer.close()
        await self._writer.wait_closed()

"""The edge: public names on port 80, connectors on port 7844.

``python -m tunnel.edge FILE``; the file says which tunnel may serve which names:

    tunnels:
      - id: <TunnelID>
        account: <AccountTag>
        secret: <TunnelSecret>
        hostnames: [bot.example.invalid]
"""

import asyncio
import hmac
import itertools
import logging
import random
import secrets
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import WSMsgType, web

from . import EDGE_PORT
from .wire import (
    BODY_LIMIT,
    HEARTBEAT_SECONDS,
    Frame,
    Head,
    Headers,
    Kind,
    Request,
    end_to_end,
    pack_request,
    unpack_head,
)

ANSWER_SECONDS = 100.0  # Cloudflare's patience with an origin, then 524
# What a visitor says of these is not believed.
OURS = {"cf-connecting-ip", "cf-ray", "cf-visitor", "cf-ipcountry", "cdn-loop"}

log = logging.getLogger("edge")


class LostError(Exception):
    """The connector went away, or gave a request up, before it answered."""


@dataclass
class Tunnel:
    """One tunnel and its live connections."""

    id: str
    account: str
    secret: str = field(repr=False)
    hostnames: list[str]
    connections: list["Connection"] = field(default_factory=list)

    def admits(self, account: str, secret: str) -> bool:
        """Whether these are its credentials."""
        return self.account == account and hmac.compare_digest(self.secret, secret)


class Connection:
    """One of a connector's connections."""

    def __init__(self, socket: web.WebSocketResponse, connector: str, source: str) -> None:
        self.connector = connector
        self.source = source
        self.draining = False
        self._socket = socket
        self._numbers = itertools.count(1)
        self._streams: dict[int, asyncio.Queue[Frame]] = {}

    async def read(self) -> None:
        """Hand frames to their streams until the connection ends."""
        async for message in self._socket:
            if message.type is not WSMsgType.BINARY:
                continue
            frame = Frame.unpack(message.data)
            if frame.kind is Kind.DRAIN:
                self.draining = True
            elif stream := self._streams.get(frame.stream):
                stream.put_nowait(frame)
        for number, stream in self._streams.items():
            stream.put_nowait(Frame(number, Kind.RESET))

    @asynccontextmanager
    async def ask(
        self, request: Request, body: bytes
    ) -> AsyncIterator[tuple[Head, asyncio.Queue[Frame]]]:
        """The answer's head, and the queue that its body comes from.

        Raises:
            LostError: There was no answer.
            TimeoutError: There was none in time.
        """
        number = next(self._numbers)
        stream = self._streams[number] = asyncio.Queue()
        try:
            try:
                await self._socket.send_bytes(
                    Frame(number, Kind.REQUEST, pack_request(request, body)).pack()
                )
            except ConnectionError as error:
                raise LostError from error
            async with asyncio.timeout(ANSWER_SECONDS):
                first = await stream.get()
            if first.kind is not Kind.HEAD:
                raise LostError
            yield unpack_head(first.payload), stream
        finally:
            del self._streams[number]


class Edge:
    """All tunnels, and the two servers' handlers."""

    def __init__(self, tunnels: list[Tunnel]) -> None:
        self._tunnels = {tunnel.id: tunnel for tunnel in tunnels}
        self._names = {name: tunnel for tunnel in tunnels for name in tunnel.hostnames}

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """A connector dials in."""
        told = {name: request.headers.get(f"X-{name}", "") for name in _CREDENTIALS}
        tunnel = self._tunnels.get(told["Tunnel-Id"])
        if tunnel is None or not tunnel.admits(told["Tunnel-Account"], told["Tunnel-Secret"]):
            log.warning("refused a connector from %s", request.remote)
            raise web.HTTPUnauthorized(text="Unauthorized: Invalid tunnel secret")
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, max_msg_size=BODY_LIMIT)
        await socket.prepare(request)
        connection = Connection(socket, told["Connector-Id"], request.remote or "")
        tunnel.connections.append(connection)
        log.info("connector %s from %s", connection.connector, connection.source)
        try:
            await connection.read()
        finally:
            tunnel.connections.remove(connection)
            log.info("lost connector %s from %s", connection.connector, connection.source)
        return socket

    async def status(self, _: web.Request) -> web.StreamResponse:
        """For tests: each name's connectors, as {name: {source address: connections}}."""
        shown = {
            name: Counter(connection.source for connection in tunnel.connections)
            for name, tunnel in self._names.items()
        }
        return web.json_response(shown)

    async def visit(self, visitor: web.Request) -> web.StreamResponse:
        """A visitor's request: one connector, and another if that one can't answer."""
        ray = f"{secrets.token_hex(8)}-MXP"
        tunnel = self._names.get(visitor.host.partition(":")[0].lower())
        if tunnel is None:
            return _error(530, "error code: 1016", ray)
        request = _request(visitor, ray)
        body = await visitor.read()
        tried: set[str] = set()
        while connection := _choose(tunnel, tried):
            tried.add(connection.connector)
            try:
                async with connection.ask(request, body) as (head, stream):
                    return await _pass_on(visitor, head, stream, ray)
            except LostError:
                log.warning("%s: connector %s gave no answer", ray, connection.connector)
            except TimeoutError:
                return _error(524, "error code: 524", ray)
        return _error(*((502, "error code: 502") if tried else (530, "error code: 1033")), ray)


_CREDENTIALS = ("Tunnel-Id", "Tunnel-Account", "Tunnel-Secret", "Connector-Id")


def _choose(tunnel: Tunnel, tried: set[str]) -> Connection | None:
    """A connection of a connector drawn by lot; each connector is as likely as another."""
    by_connector: dict[str, list[Connection]] = {}
    for connection in tunnel.connections:
        if connection.connector not in tried and not connection.draining:
            by_connector.setdefault(connection.connector, []).append(connection)
    if not by_connector:
        return None
    return random.choice(by_connector[random.choice(list(by_connector))])


def _request(visitor: web.Request, ray: str) -> Request:
    """What the origin is to see of the visitor's request."""
    source = visitor.remote or ""
    kept: Headers = [
        (name, value)
        for name, value in end_to_end(list(visitor.headers.items()))
        if name.lower() not in OURS | {"x-forwarded-for", "x-forwarded-proto", "content-length"}
    ]
    forwarded = ", ".join(filter(None, [visitor.headers.get("X-Forwarded-For"), source]))
    added = [
        ("CF-Connecting-IP", source),
        ("CF-Ray", ray),
        ("CF-Visitor", '{"scheme":"http"}'),
        ("CF-IPCountry", "XX"),
        ("CDN-Loop", "cloudflare; loops=1"),
        ("X-Forwarded-For", forwarded),
        ("X-Forwarded-Proto", "http"),
    ]
    return Request(visitor.method, visitor.raw_path, [*kept, *added])


async def _pass_on(
    visitor: web.Request, head: Head, stream: asyncio.Queue[Frame], ray: str
) -> web.StreamResponse:
    """Send the origin's answer to the visitor as it comes; cut it off where it breaks."""
    answer = web.StreamResponse(status=head.status)
    for name, value in head.headers:
        answer.headers.add(name, value)
    answer.headers["CF-Ray"] = ray
    answer.headers["Server"] = "cloudflare"
    await answer.prepare(visitor)
    while (frame := await stream.get()).kind is Kind.DATA:
        await answer.write(frame.payload)
    if frame.kind is Kind.END:
        await answer.write_eof()
    elif visitor.transport:
        visitor.transport.close()
    return answer


def _error(status: int, text: str, ray: str) -> web.Response:
    return web.Response(status=status, text=text, headers={"CF-Ray": ray, "Server": "cloudflare"})


def load(path: Path) -> list[Tunnel]:
    """The tunnels in the edge's file; KeyError or TypeError where it is malformed."""
    raw: dict[str, Any] = yaml.safe_load(path.read_text())
    return [Tunnel(**entry) for entry in raw["tunnels"]]


def applications(edge: Edge) -> tuple[web.Application, web.Application]:
    """What visitors see, and what connectors do."""
    public = web.Application(client_max_size=BODY_LIMIT)
    public.router.add_route("*", "/{path:.*}", edge.visit)
    inside = web.Application()
    inside.add_routes([web.get("/connect", edge.connect), web.get("/status", edge.status)])
    return public, inside


async def serve(edge: Edge) -> None:
    """Serve visitors and connectors until cancelled."""
    for app, port in zip(applications(edge), (80, EDGE_PORT), strict=True):
        runner = web.AppRunner(app, access_log=None, auto_decompress=False)
        await runner.setup()
        await web.TCPSite(runner, port=port, backlog=1024).start()
    await asyncio.Event().wait()


def main() -> None:
    """``edge FILE``."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    asyncio.run(serve(Edge(load(Path(sys.argv[1])))))


if __name__ == "__main__":
    main()

"""The running connector: its connections to the edge, and its metrics server."""

import asyncio
import contextlib
import itertools
import json
import logging
import signal
import uuid
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, Info, generate_latest

from . import EDGE_PORT, REGIONS, VERSION
from .config import Credentials
from .origin import Origins
from .wire import (
    BODY_LIMIT,
    HEARTBEAT_SECONDS,
    Frame,
    Kind,
    pack_head,
    unpack_request,
)

CONNECTIONS = 4  # cloudflared's own number
DIAL_SECONDS = 5.0
LONGEST_PAUSE = 16  # seconds between two dials; cloudflared doubles from 1 as well

log = logging.getLogger("cloudflared")


class Metrics:
    """The few of cloudflared's metrics that a dashboard or an alert would use."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.connections = Gauge(
            "cloudflared_tunnel_ha_connections",
            "Number of active ha connections",
            registry=self.registry,
        )
        # Counters in the real one; gauges here, because the library would append "_total" to a
        # counter's name and cloudflared's names don't have it.
        self.requests = Gauge(
            "cloudflared_tunnel_total_requests",
            "Amount of requests proxied through all the tunnels",
            registry=self.registry,
        )
        self.by_code = Gauge(
            "cloudflared_tunnel_response_by_code",
            "Count of responses by HTTP status code",
            ["status_code"],
            registry=self.registry,
        )
        build = Info("build", "Build and version information", registry=self.registry)
        build.info({"version": VERSION, "goversion": "rehearsal"})


class Connector:
    """One cloudflared process."""

    def __init__(self, credentials: Credentials, origins: Origins, grace: float) -> None:
        self.id = str(uuid.uuid4())
        self.metrics = Metrics()
        self.ready = 0
        self.complete = asyncio.Event()
        self._credentials = credentials
        self._origins = origins
        self._grace = grace
        self._leaving = asyncio.Event()
        self._streams: set[asyncio.Task[None]] = set()
        self._sockets: set[aiohttp.ClientWebSocketResponse] = set()

    def leave(self) -> None:
        """Make ``run`` end; what SIGTERM does."""
        self._leaving.set()

    async def cut(self) -> None:
        """Lose all connections at once, as a crash would."""
        for socket in list(self._sockets):
            await socket.close()

    async def run(self) -> None:
        """Hold the connections until SIGTERM or SIGINT, then finish what is under way."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.leave)
        async with aiohttp.ClientSession() as session:
            held = [asyncio.create_task(self._hold(i, session)) for i in range(CONNECTIONS)]
            await self._leaving.wait()
            log.info("Initiating graceful shutdown due to signal ...")
            await self._drain()
            for task in held:
                task.cancel()
            await asyncio.gather(*held, return_exceptions=True)
        await self._origins.close()

    async def _drain(self) -> None:
        for socket in self._sockets:
            with contextlib.suppress(ConnectionError):
                await socket.send_bytes(Frame(0, Kind.DRAIN).pack())
        if self._streams:
            await asyncio.wait(self._streams, timeout=self._grace)

    async def _hold(self, index: int, session: aiohttp.ClientSession) -> None:
        """Keep connection ``index``, dialling the two regions by turns."""
        failures = 0
        for region in itertools.islice(itertools.cycle(REGIONS), index % 2, None):
            try:
                async with asyncio.timeout(DIAL_SECONDS):
                    socket = await self._dial(region, session)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                log.error("Failed to dial a connection connIndex=%d error=%r", index, error)
                failures += 1
                pause = min(2 ** min(failures - 1, 10), LONGEST_PAUSE)
                log.info("Retrying connection in up to %ds connIndex=%d", pause, index)
                await asyncio.sleep(pause)
                continue
            failures = 0
            await self._serve(index, region, socket)

    async def _dial(
        self, region: str, session: aiohttp.ClientSession
    ) -> aiohttp.ClientWebSocketResponse:
        return await session.ws_connect(
            f"http://{region}:{EDGE_PORT}/connect",
            headers={
                "X-Tunnel-Id": self._credentials.tunnel_id,
                "X-Tunnel-Account": self._credentials.account_tag,
                "X-Tunnel-Secret": self._credentials.tunnel_secret,
                "X-Connector-Id": self.id,
            },
            heartbeat=HEARTBEAT_SECONDS,
            max_msg_size=BODY_LIMIT + (1 << 20),
        )

    async def _serve(
        self, index: int, region: str, socket: aiohttp.ClientWebSocketResponse
    ) -> None:
        log.info("Registered tunnel connection connIndex=%d location=%s", index, region)
        self._sockets.add(socket)
        self._count(+1)
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    frame = Frame.unpack(message.data)
                    stream = asyncio.create_task(self._answer(socket, frame))
                    self._streams.add(stream)
                    stream.add_done_callback(self._streams.discard)
        finally:
            self._sockets.discard(socket)
            self._count(-1)
            log.warning("Lost connection with the edge connIndex=%d", index)
            await socket.close()

    async def _answer(self, socket: aiohttp.ClientWebSocketResponse, frame: Frame) -> None:
        """Ask the origin and send what it says; a broken answer resets the stream."""
        request, body = unpack_request(frame.payload)
        self.metrics.requests.inc()

        async def send(kind: Kind, payload: bytes = b"") -> None:
            await socket.send_bytes(Frame(frame.stream, kind, payload).pack())

        try:
            async with self._origins.ask(request, body) as answer:
                self.metrics.by_code.labels(str(answer.head.status)).inc()
                await send(Kind.HEAD, pack_head(answer.head))
                async for piece in answer.body:
                    await send(Kind.DATA, piece)
            await send(Kind.END)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.error("Request failed error=%r", error)
            with contextlib.suppress(ConnectionError):
                await send(Kind.RESET)
        except ConnectionError:
            log.warning("the edge was gone before its answer")

    def _count(self, change: int) -> None:
        self.ready += change
        self.metrics.connections.set(self.ready)
        if self.ready == CONNECTIONS:
            self.complete.set()
        else:
            self.complete.clear()


async def serve_metrics(connector: Connector, addresses: list[tuple[str, int]]) -> web.AppRunner:
    """Serve /ready, /healthcheck and /metrics on the first of ``addresses`` that is free.

    Raises:
        OSError: None of them is.
    """
    app = web.Application()
    app.add_routes([web.get(path, handler) for path, handler in _pages(connector).items()])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    for host, port in addresses:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            failed = error
            continue
        log.info("Starting metrics server on %s:%d/metrics", host, port)
        return runner
    raise failed


def _pages(
    connector: Connector,
) -> dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]:
    async def ready(_: web.Request) -> web.StreamResponse:
        status = 200 if connector.ready else 503
        body = {
            "status": status,
            "readyConnections": connector.ready,
            "connectorId": connector.id,
        }
        return web.Response(status=status, text=json.dumps(body), content_type="application/json")

    async def healthcheck(_: web.Request) -> web.StreamResponse:
        return web.Response(text="OK\n")

    async def metrics(_: web.Request) -> web.StreamResponse:
        page = generate_latest(connector.metrics.registry)
        return web.Response(body=page, content_type="text/plain")

    return {"/ready": ready, "/healthcheck": healthcheck, "/metrics": metrics}

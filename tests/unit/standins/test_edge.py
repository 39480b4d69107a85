"""Edge and connector together, on loopback: what goes in comes out, whoever dies between."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from tests.rehearsal.standins.tunnel import connector as connector_module
from tests.rehearsal.standins.tunnel.config import Credentials, rules
from tests.rehearsal.standins.tunnel.connector import Connector
from tests.rehearsal.standins.tunnel.edge import Edge, Tunnel, applications
from tests.rehearsal.standins.tunnel.origin import Origins

SECRET = "A" * 43 + "="
NAME = "bot.example.invalid"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def _served(app: web.Application) -> AsyncIterator[int]:
    runner = web.AppRunner(app, access_log=None, auto_decompress=False)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _echo(request: web.Request) -> web.StreamResponse:
    seen = {"path": request.raw_path, "method": request.method, "headers": dict(request.headers)}
    body = await request.read()
    answer = web.Response(status=418, text=json.dumps(seen | {"body": body.decode()}))
    answer.headers.add("Set-Cookie", "a=1")
    answer.headers.add("Set-Cookie", "b=2")
    return answer


@dataclass
class World:
    """An edge with nobody connected, and the means to connect."""

    edge: Edge
    public: str
    stack: AsyncExitStack
    session: aiohttp.ClientSession

    async def connect(self, handler: Handler, secret: str = SECRET) -> Connector:
        """One connector before an origin of its own."""
        origin = web.Application()
        origin.router.add_route("*", "/{path:.*}", handler)
        port = await self.stack.enter_async_context(_served(origin))
        listed = [{"hostname": NAME, "service": f"http://127.0.0.1:{port}"}]
        made = rules([*listed, {"service": "http_status:404"}], {})
        connector = Connector(Credentials("tag", "id", secret), Origins(made), grace=5)
        running = asyncio.create_task(connector.run())
        self.stack.push_async_callback(_stopped, connector, running)
        return connector

    async def ask(self, path: str = "/", **options: Any) -> tuple[int, str, Any]:
        """Status, text and headers of one visit."""
        headers = {"Host": NAME} | options.pop("headers", {})
        method = options.pop("method", "GET")
        async with self.session.request(
            method, URL(self.public + path, encoded=True), headers=headers, **options
        ) as answer:
            return answer.status, await answer.text(), answer.headers


async def _stopped(connector: Connector, running: asyncio.Task[None]) -> None:
    connector.leave()
    await running


async def _ready(connector: Connector) -> None:
    async with asyncio.timeout(5):
        await connector.complete.wait()


@asynccontextmanager
async def _world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    edge = Edge([Tunnel("id", "tag", SECRET, [NAME])])
    public, inside = applications(edge)
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(_served(public))
        connectors = await stack.enter_async_context(_served(inside))
        monkeypatch.setattr(connector_module, "REGIONS", ("127.0.0.1", "localhost"))
        monkeypatch.setattr(connector_module, "EDGE_PORT", connectors)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield World(edge, f"http://127.0.0.1:{port}", stack, session)


Scenario = Callable[[World], Awaitable[None]]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Scenario], None]:
    """Run a scenario in a world of its own; longer than 20 s is a failure."""

    async def whole(scenario: Scenario) -> None:
        async with asyncio.timeout(20), _world(monkeypatch) as world:
            await scenario(world)

    return lambda scenario: asyncio.run(whole(scenario))


Play = Callable[[Scenario], None]


def test_passes_everything_faithfully(play: Play) -> None:
    async def scenario(world: World) -> None:
        await _ready(await world.connect(_echo))
        status, text, headers = await world.ask(
            "/a%20b?x=%2F&y",
            method="POST",
            data="ciao",
            headers={"X-Own": "1", "CF-Connecting-IP": "6.6.6.6", "X-Forwarded-For": "7.7.7.7"},
        )
        seen = json.loads(text)
        assert status == 418
        assert (seen["path"], seen["method"], seen["body"]) == ("/a%20b?x=%2F&y", "POST", "ciao")
        assert headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert seen["headers"]["Host"] == NAME
        assert seen["headers"]["CF-Connecting-IP"] == "127.0.0.1"
        assert seen["headers"]["X-Forwarded-For"] == "7.7.7.7, 127.0.0.1"
        assert seen["headers"]["CF-Ray"] == headers["CF-Ray"]

    play(scenario)


def test_passes_chunks_as_they_come(play: Play) -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for number in range(5):
            await answer.write(f"{number}".encode() * 100_000)
        return answer

    async def scenario(world: World) -> None:
        await _ready(await world.connect(stream))

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"x" * 1000

        status, text, _ = await world.ask(method="POST", data=pieces())
        assert status == 200
        assert text == "".join(f"{number}" * 100_000 for number in range(5))

    play(scenario)


def test_nobody_connected_is_530(play: Play) -> None:
    async def scenario(world: World) -> None:
        assert (await world.ask())[:2] == (530, "error code: 1033")
        assert (await world.ask(headers={"Host": "other.invalid"}))[0] == 530

    play(scenario)


def test_a_wrong_secret_is_refused(play: Play) -> None:
    async def scenario(world: World) -> None:
        connector = await world.connect(_echo, secret="B" * 43 + "=")
        # A connector with the right one comes in while the other keeps trying.
        await _ready(await world.connect(_echo))
        assert connector.ready == 0

    play(scenario)


def test_the_other_connector_is_tried(play: Play) -> None:
    async def scenario(world: World) -> None:
        asked = 0

        async def dying(request: web.Request) -> web.StreamResponse:
            nonlocal asked
            asked += 1
            await first.cut()
            return await _echo(request)

        first = await world.connect(dying)
        await _ready(first)
        await _ready(await world.connect(_echo))
        # Lots are drawn: fifty visits all miss the first connector once in 10^15 runs.
        statuses: list[int] = []
        while not asked and len(statuses) < 50:
            statuses.append((await world.ask())[0])
        assert asked == 1
        assert set(statuses) == {418}

    play(scenario)


def test_a_dead_origin_is_502(play: Play) -> None:
    async def scenario(world: World) -> None:
        async def rude(request: web.Request) -> web.StreamResponse:
            assert request.transport
            request.transport.abort()
            return web.Response()

        await _ready(await world.connect(rude))
        assert (await world.ask())[0] == 502

    play(scenario)


def test_what_is_under_way_is_finished(play: Play) -> None:
    async def scenario(world: World) -> None:
        arrived, finish = asyncio.Event(), asyncio.Event()

        async def slow(request: web.Request) -> web.StreamResponse:
            arrived.set()
            await finish.wait()
            return await _echo(request)

        connector = await world.connect(slow)
        await _ready(connector)
        visit = asyncio.create_task(world.ask())
        await arrived.wait()
        connector.leave()
        async with asyncio.timeout(5):
            while (await world.ask())[0] != 530:
                pass  # the edge has yet to read that this connector leaves
        finish.set()
        assert (await visit)[0] == 418

    play(scenario)

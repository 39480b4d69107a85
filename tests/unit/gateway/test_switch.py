"""One gateway, two apps: who serves a request is how the node stands at that moment."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import httpx
from fastapi import FastAPI

from app.gateway.switch import Switch
from app.leading import Kept, Role, Standing, keep
from app.store.database import StoreError
from app.work.programs import Program, Serving, serves


class Apps:
    """A leader's and a standby's app that say who they are; ``lived`` is what became of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lived: list[str] = []
        self.made = 0
        self.failures = 0
        self.entered = asyncio.Event()
        self.going_on = asyncio.Event()
        serving = Serving(path.parent, Program.GATEWAY)
        self.switch = Switch(Kept(path), self._app("standby"), self._leader, serving)
        transport = httpx.ASGITransport(self.switch)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://example.invalid")

    def stand(self, role: Role, term: int = 1) -> None:
        """Write down how the node stands."""
        keep(self.path, Standing(role, term))

    @property
    def counts(self) -> bool:
        """Whether the node counts on this gateway."""
        return serves(self.path.parent, Program.GATEWAY)

    async def who(self) -> str:
        """Who serves."""
        return str((await self.client.get("/who")).json())

    async def becomes(self, who: str) -> None:
        """Wait until this one serves."""
        while await self.who() != who:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds."""
        while not holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)

    def _leader(self) -> FastAPI:
        self.made += 1
        if self.failures:
            self.failures -= 1
            raise StoreError("it is corrupt")
        return self._app(f"leader {self.made}")

    def _app(self, name: str) -> FastAPI:
        @asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
            self.lived.append(f"{name} begins")
            yield
            self.lived.append(f"{name} ends")

        app = FastAPI(lifespan=lifespan)

        @app.get("/who")
        async def who() -> str:
            return name

        @app.get("/slow")
        async def slow() -> str:
            self.entered.set()
            await self.going_on.wait()
            return name

        return app


Scene: TypeAlias = Callable[[Apps], Awaitable[None]]


def play(directory: Path, scene: Scene, stands: Role = Role.STANDBY, failures: int = 0) -> Apps:
    """Run the gateway for the time of a scene."""

    async def run() -> Apps:
        apps = Apps(directory / "standing.json")
        apps.failures = failures
        apps.stand(stands)
        ended = asyncio.Event()
        told: asyncio.Queue[str] = asyncio.Queue()

        asked = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> dict[str, str]:
            message = next(asked)
            if message == "lifespan.shutdown":
                await ended.wait()
            return {"type": message}

        async def send(message: object) -> None:
            assert isinstance(message, dict)
            await told.put(message["type"])

        scope = {"type": "lifespan", "app": apps.switch}
        serving = asyncio.create_task(apps.switch(scope, receive, send))
        assert await told.get() == "lifespan.startup.complete"
        await scene(apps)
        ended.set()
        await serving
        await apps.client.aclose()
        return apps

    async def within() -> Apps:
        return await asyncio.wait_for(run(), 30)

    return asyncio.run(within())


def test_each_serves_in_its_time(tmp_path: Path) -> None:
    async def scene(apps: Apps) -> None:
        assert await apps.who() == "standby"
        apps.stand(Role.LEADER)
        await apps.becomes("leader 1")
        for role in (Role.HANDING_OVER, Role.STANDBY):
            apps.stand(role)
            assert await apps.who() == "standby"  # at once
        apps.stand(Role.LEADER, 2)
        await apps.becomes("leader 2")

    apps = play(tmp_path, scene)
    assert apps.lived == [
        "standby begins",
        "leader 1 begins",
        "leader 1 ends",
        "leader 2 begins",
        "leader 2 ends",
        "standby ends",
    ]


def test_another_term_is_another_app(tmp_path: Path) -> None:
    """Its database is another file."""

    async def scene(apps: Apps) -> None:
        apps.stand(Role.LEADER, 3)
        assert await apps.who() == "standby"
        await apps.becomes("leader 2")

    apps = play(tmp_path, scene, Role.LEADER)
    assert apps.lived.index("leader 1 ends") < apps.lived.index("leader 2 begins")


def test_a_leader_s_gateway_serves_as_one_from_the_first_request(tmp_path: Path) -> None:
    async def scene(apps: Apps) -> None:
        assert await apps.who() == "leader 1"

    play(tmp_path, scene, Role.LEADER)


def test_what_is_in_hand_is_finished_before_the_database_is_let_go(tmp_path: Path) -> None:
    async def scene(apps: Apps) -> None:
        slow = asyncio.create_task(apps.client.get("/slow"))
        await apps.entered.wait()
        apps.stand(Role.HANDING_OVER)
        assert await apps.who() == "standby"
        # The watch has seen it, and waits for the one in hand.
        await apps.until(lambda: apps.switch._leading is None)
        assert "leader 1 ends" not in apps.lived
        apps.going_on.set()
        assert (await slow).json() == "leader 1"
        await apps.until(lambda: "leader 1 ends" in apps.lived)

    play(tmp_path, scene, Role.LEADER)


def test_a_database_that_can_t_be_opened_closes_no_door(tmp_path: Path) -> None:
    """But the node doesn't count on this gateway meanwhile."""

    async def scene(apps: Apps) -> None:
        assert (await apps.who(), apps.counts) == ("standby", False)
        await apps.becomes("leader 2")
        assert apps.counts

    apps = play(tmp_path, scene, Role.LEADER, failures=1)
    assert not apps.counts


def test_a_standby_s_gateway_counts_until_it_fails_to_lead(tmp_path: Path) -> None:
    async def scene(apps: Apps) -> None:
        await apps.until(lambda: apps.counts)
        apps.stand(Role.LEADER)
        await apps.until(lambda: not apps.counts)
        apps.stand(Role.STANDBY)
        await apps.until(lambda: apps.counts)

    play(tmp_path, scene, failures=1)

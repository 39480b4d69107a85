"""The cloud's API in this process, over a real store and a real Redis, asked as its clients ask."""

import asyncio
import base64
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from app.sealing import Seal
from app.signing import Asked, sign
from cloud_jobs.api.app import make_app
from cloud_jobs.exchange import commands
from cloud_jobs.runtime.job import Every, Jobs, Nothing, On, Payload, Queue, RunContext, job
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.database import Store
from tests.support.cloud_layer import SEAL_KEYS

NODE, STANDBY, TOOL, READER = "mac", "vps", "boiler", "grafana"
KEYS = {NODE: b"n" * 32, STANDBY: b"v" * 32, TOOL: b"t" * 32, READER: b"r" * 32}
SCOPES = {
    NODE: ["commands", "events", "queues", "jobs", "lease"],
    STANDBY: ["lease"],
    TOOL: ["events"],
    READER: ["metrics", "jobs"],
}
GUEST = "a" * 64
WEBHOOK_SECRET = "invented-secret-of-smoobu"
JSON = {"Content-Type": "application/json"}


def clients() -> str:
    """PORTIERE_API_CLIENTS."""
    return json.dumps(
        {
            name: {"keys": [base64.b64encode(key).decode()], "scopes": SCOPES[name]}
            for name, key in KEYS.items()
        }
    )


def settings_for(store_url: str, redis_url: str, **more: Any) -> CloudSettings:
    """Settings of an API with these clients."""
    return CloudSettings(
        _env_file=None,
        **{
            "store_url": store_url,
            "redis_url": redis_url,
            "seal_keys": SEAL_KEYS,
            "api_clients": clients(),
            "smoobu_webhook_secret": WEBHOOK_SECRET,
            "requests_per_minute": 100_000,
            **more,
        },
    )


def event(name: str, payload: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An event on the wire, about nobody unless ``guest`` is given."""
    return {
        "event_id": uuid4().hex,
        "name": name,
        "guest": None,
        "occurred_at": datetime.now(UTC).isoformat(),
        "payload": payload,
        **more,
    }


class Wanted(Payload):
    """Of the job below."""

    text: str


@job("note", On("translation.wanted"), queue=Queue.NOTICES, payload=Wanted)
def note(_run: RunContext, _payload: Wanted) -> None:
    """The API's tests have a job of their own that an event starts, and one by the clock."""


@job("tidy", Every(timedelta(minutes=5)), queue=Queue.UPKEEP, payload=Nothing)
def tidy(_run: RunContext, _payload: Nothing) -> None:
    """Nothing of the API works on a run."""


@dataclass
class CloudApi:
    """The app of one process; ``loop`` is where it lives."""

    settings: CloudSettings
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def __post_init__(self) -> None:
        self.app = make_app(self.settings, Jobs({one.name: one for one in (note, tidy)}))
        self.store = Store(self.settings.store_url.get_secret_value())
        self.seal = Seal(self.settings.seal_key_bytes, b"")
        self._running = AsyncExitStack()

    def start(self) -> None:
        """What its process does first."""
        lifespan = self.app.router.lifespan_context(self.app)
        self.loop.run_until_complete(self._running.enter_async_context(lifespan))

    def stop(self) -> None:
        """What its process does last."""
        self.loop.run_until_complete(self._running.aclose())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.store.close()

    async def request(self, method: str, target: str, **more: Any) -> httpx.Response:
        """Any request."""
        transport = httpx.ASGITransport(
            self.app, raise_app_exceptions=False, client=("127.0.0.1", 4000)
        )
        async with httpx.AsyncClient(
            transport=transport, base_url="http://cloud.example.invalid"
        ) as client:
            return await client.request(method, target, **more)

    async def signed_request(
        self, method: str, target: str, body: Any = None, *, by: str = NODE
    ) -> httpx.Response:
        """A request of a client; ``body`` is sent as JSON, None as nothing."""
        content = b"" if body is None else json.dumps(body).encode()
        signature = sign(Asked(method, target, content), by, KEYS[by])
        headers: Mapping[str, str] = {**(JSON if content else {}), **signature}
        return await self.request(method, target, content=content, headers=headers)

    def ask(self, method: str, target: str, **more: Any) -> httpx.Response:
        """:meth:`request`, waited for."""
        return self.loop.run_until_complete(self.request(method, target, **more))

    def signed(
        self, method: str, target: str, body: Any = None, *, by: str = NODE
    ) -> httpx.Response:
        """:meth:`signed_request`, waited for."""
        return self.loop.run_until_complete(self.signed_request(method, target, body, by=by))

    def tell(self, *events: dict[str, Any], by: str = NODE) -> dict[str, Any]:
        """What it says to a batch of events that it can read."""
        answer = self.signed("POST", "/api/events", {"events": list(events)}, by=by)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def issue(self, command_id: str, name: str = "RESUME", **payload: Any) -> None:
        """Have the desk do something, as another process does."""
        with self.store.writing() as session:
            commands.issue(
                session,
                self.seal,
                command_id=command_id,
                name=name,
                payload=payload or {"queue": "notices"},
                run_id=None,
                now=datetime.now(UTC),
            )


def kind(answer: httpx.Response) -> str:
    """Which problem an answer is."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    told = answer.json()
    assert set(told) == {"type", "title", "status", "detail"}
    assert told["status"] == answer.status_code
    return str(told["type"]).removeprefix("urn:portiere:problem:")

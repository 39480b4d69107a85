"""A sandbox behind its real server, and a receiver for its webhooks, both on loopback."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import uvicorn

from app.providers.sandbox.drop import DroppingProtocol
from app.providers.sandbox.server import SandboxConfig, create_app
from tests.support.processes import eventually

API_KEY = "invented-api-key"
SECRET = "test-webhook-secret"
GUEST = "+390000000001"
PATIENCE = 10.0
HANG = 0


@dataclass(frozen=True)
class Webhook:
    """One POST as it arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The envelope."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """Takes webhooks; answers with ``answers`` one after the other, then with 200.

    ``HANG`` as an answer keeps the sender waiting until ``released`` is set.
    """

    url: str = ""
    answers: list[int] = field(default_factory=list)
    got: list[Webhook] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    released: threading.Event = field(default_factory=threading.Event)

    def take(self, webhook: Webhook) -> int:
        """Keep one and say how to answer it."""
        with self.changed:
            self.got.append(webhook)
            self.changed.notify_all()
            answer = self.answers.pop(0) if self.answers else 200
        if answer == HANG:
            assert self.released.wait(PATIENCE)
            return 200
        return answer

    def clear(self) -> None:
        """Forget what came and what was to be answered."""
        with self.changed:
            self.got.clear()
            self.answers.clear()

    def wait_for(self, count: int) -> list[Webhook]:
        """The webhooks, once there are ``count``."""
        with self.changed:
            there = self.changed.wait_for(lambda: len(self.got) >= count, PATIENCE)
            assert there, f"{len(self.got)} of {count} webhooks came"
            return list(self.got)


@dataclass
class Api:
    """A client of the sandbox."""

    http: httpx.Client
    receiver: Receiver

    def send(self, body: object, **kwargs: Any) -> httpx.Response:
        """Call the send API."""
        headers = {"X-Spoki-Api-Key": API_KEY}
        return self.http.post("/api/1/messages/send/", json=body, headers=headers, **kwargs)

    def text(self, text: str = "Ciao", phone: str = GUEST, **more: Any) -> httpx.Response:
        """Send a text."""
        body = {"type": "Message", "content_type": "Text", "phone": phone, "text": text}
        return self.send(body | more)

    def fault(self, name: str, **setting: Any) -> None:
        """Switch a fault on."""
        self.http.put(f"/sandbox/faults/{name}", json=setting).raise_for_status()

    def faults(self) -> dict[str, Any]:
        """The faults that are on."""
        on = self.http.get("/sandbox/faults").json()
        return {name: fault for name, fault in on.items() if fault is not None}

    def write(self, text: str = "Ciao", phone: str = GUEST, **more: Any) -> dict[str, Any]:
        """A guest writes."""
        answer = self.http.post("/sandbox/inbound", json={"phone": phone, "text": text} | more)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def messages(self, phone: str = GUEST) -> list[dict[str, Any]]:
        """One conversation."""
        found: list[dict[str, Any]] = self.http.get(
            "/sandbox/messages", params={"phone": phone}
        ).json()["results"]
        return found

    def sends(self) -> list[dict[str, Any]]:
        """Every send call."""
        found: list[dict[str, Any]] = self.http.get("/sandbox/sends").json()["results"]
        return found


class _Ready(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @property
    def url(self) -> str:
        port = self.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"


@contextmanager
def _receiving() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            webhook = Webhook(dict(self.headers), self.rfile.read(length))
            self.send_response(found.take(webhook))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # Looks for the end every 10 ms; its default of 500 would make up most of the tests' time.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}/webhooks/spoki"
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def _serving(receiver: Receiver, **settings: Any) -> Iterator[Api]:
    given = {
        "api_key": API_KEY,
        "webhook_secret": SECRET,
        "webhook_url": receiver.url,
        "status_gap": 0,
        "redelivery_first": 0.01,
    }
    app = create_app(SandboxConfig.model_validate(given | settings))
    server = _Ready(
        uvicorn.Config(app, port=0, http=DroppingProtocol, log_level="error", access_log=False)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    assert server.listening.wait(PATIENCE), "the sandbox doesn't listen"
    with httpx.Client(base_url=server.url, trust_env=False, timeout=PATIENCE) as client:
        yield Api(client, receiver)
    server.should_exit = True
    thread.join(PATIENCE)
    assert not thread.is_alive(), "the sandbox doesn't end"


Start = Callable[..., Api]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a sandbox of its own, with the given settings."""
    with ExitStack() as running:

        def begin(**settings: Any) -> Api:
            receiver = running.enter_context(_receiving())
            return running.enter_context(_serving(receiver, **settings))

        yield begin


@pytest.fixture(scope="session")
def _shared() -> Iterator[Api]:
    with _receiving() as receiver, _serving(receiver) as api:
        yield api


@pytest.fixture
def api(_shared: Api) -> Api:
    """A sandbox with the usual settings, as after its start."""
    _shared.receiver.clear()
    for fault in _shared.faults():
        _shared.http.delete(f"/sandbox/faults/{fault}").raise_for_status()
    # Or what the test before has set off would still arrive, whole or cut off by the reset.
    status = partial(_shared.http.get, "/sandbox/status")
    eventually(lambda: status().json()["webhooks_waiting"] == 0, "all was taken")
    _shared.http.post("/sandbox/reset").raise_for_status()
    _shared.receiver.clear()
    return _shared

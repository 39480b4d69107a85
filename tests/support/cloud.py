"""A strict double of the cloud's side of the wire, on a real port of loopback.

It verifies signatures (`app.signing`) and refuses a nonce that it has seen, offers a command until
its ``command.finished`` has come, keeps events once each by their id, and notes in ``violations``
whatever a node asks that is not on the wire. It can be stopped and started on the same port, and
can cut a connection after it has received a request.

It is ours: it can't show that the real cloud offers again, dedupes, or keeps what it took; and its
signatures are checked by the very code that made them.
"""

import json
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from app.signing import Asked, RefusedError, SignedAuth, verify
from tests.support.processes import free_port

NODE = "mac"
NODE_KEY = b"n" * 32
# What the cloud signs its own requests with, as a client of the gateway.
CLIENT = "cloud"
CLIENT_KEY = b"c" * 32
SETTLED = ("done", "failed")


@dataclass
class Cloud:
    """The cloud. ``longest_wait`` (seconds) shortens its long polls."""

    port: int = field(default_factory=free_port)
    longest_wait: float = 25
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    deliveries: int = 0  # of events, those that came again too
    polls: int = 0
    violations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._offered: dict[str, dict[str, Any]] = {}
        self._nonces: set[str] = set()
        self._cuts = 0
        self._connections: set[socket.socket] = set()
        self._changed = threading.Condition()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where the node finds it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def auth(self) -> SignedAuth:
        """Signs what the cloud pushes."""
        return SignedAuth(CLIENT, CLIENT_KEY)

    def start(self) -> None:
        """Answer, on the same port as before."""
        handler = type("Handler", (_Handler,), {"cloud": self})
        self._server = _Server(("127.0.0.1", self.port), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Be gone: nothing listens, and what was connected is cut."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        with self._changed:
            connections = list(self._connections)
            self._changed.notify_all()
        for connection in connections:
            _cut(connection)

    def offer(self, name: str, payload: dict[str, Any], **parts: Any) -> str:
        """Have something for the desk to do; the command's id."""
        command_id = str(parts.get("id", uuid4().hex))
        offered = {
            "id": command_id,
            "idempotency_key": command_id,
            "name": name,
            "payload": payload,
            "issued_at": "2026-11-27T06:00:00Z",
            **parts,
        }
        with self._changed:
            self._offered[command_id] = offered
            self._changed.notify_all()
        return command_id

    def cut_next(self, requests: int = 1) -> None:
        """Receive the next requests, and cut their connections instead of an answer."""
        with self._changed:
            self._cuts = requests

    def reports(self, command_id: str) -> list[dict[str, Any]]:
        """What came of a command, each time it was reported."""
        with self._changed:
            found = [event["payload"] for event in self.events.values()]
        return [one for one in found if one.get("id") == command_id]

    def is_settled(self, command_id: str) -> bool:
        """Whether the cloud knows what came of it."""
        return any(one["state"] in SETTLED for one in self.reports(command_id))

    def admit(self, asked: Asked, headers: dict[str, str]) -> str | None:
        """Why a request is refused; None if it is one of the node's."""
        try:
            signed = verify(asked, headers, {NODE: (NODE_KEY,)})
        except RefusedError as error:
            return str(error.reason)
        with self._changed:
            if signed.nonce in self._nonces:
                return "replayed"
            self._nonces.add(signed.nonce)
        return None

    def wants_cut(self) -> bool:
        """Whether this request is to be cut."""
        with self._changed:
            if self._cuts == 0:
                return False
            self._cuts -= 1
            return True

    def poll(self, wait: float) -> dict[str, Any]:
        """What is offered; waits for it."""
        with self._changed:
            self.polls += 1
            self._changed.wait_for(
                lambda: self._open() or self._server is None, min(wait, self.longest_wait)
            )
            return {"commands": self._open()}

    def take(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        """Keep events, each once."""
        with self._changed:
            for event in events:
                self.deliveries += 1
                self.events.setdefault(event["event_id"], event)
        return {"accepted": [event["event_id"] for event in events], "rejected": []}

    def connected(self, connection: socket.socket, *, is_open: bool) -> None:
        """A connection came or went."""
        with self._changed:
            (self._connections.add if is_open else self._connections.discard)(connection)

    def _open(self) -> list[dict[str, Any]]:
        settled = {
            event["payload"]["id"]
            for event in self.events.values()
            if event["name"] == "command.finished"
        }
        return [one for command_id, one in self._offered.items() if command_id not in settled]


class _Server(ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    cloud: Cloud

    def setup(self) -> None:
        super().setup()
        self.cloud.connected(self.connection, is_open=True)

    def finish(self) -> None:
        self.cloud.connected(self.connection, is_open=False)
        super().finish()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        """Say nothing: what is wrong stands in ``violations``."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if (
            len(body) < length
        ):  # a node that was killed has said half a sentence, and not a wrong one
            self.close_connection = True
            return
        if self.cloud.wants_cut():
            _cut(self.connection)
            self.close_connection = True
            return
        asked = Asked(self.command, self.path, body)
        refused = self.cloud.admit(asked, dict(self.headers.items()))
        if refused is not None:
            self._violate(401, refused)
            return
        target = urlsplit(self.path)
        match (self.command, target.path):
            case ("GET", "/api/commands"):
                self._offer(parse_qs(target.query, strict_parsing=True))
            case ("POST", "/api/events"):
                self._hear(body)
            case _:
                self._violate(404, f"{self.command} {target.path}")

    def _offer(self, query: dict[str, list[str]]) -> None:
        if query.keys() != {"wait"} or not 0 <= int(query["wait"][0]) <= 25:
            self._violate(422, f"polls with {query}")
            return
        self._answer(200, self.cloud.poll(int(query["wait"][0])))

    def _hear(self, body: bytes) -> None:
        events = json.loads(body)["events"]
        wanted = {"event_id", "name", "guest", "occurred_at", "payload"}
        if not events or any(event.keys() != wanted for event in events):
            self._violate(422, "an event is not as on the wire")
            return
        self._answer(200, self.cloud.take(events))

    def _violate(self, status: int, what: str) -> None:
        self.cloud.violations.append(what)
        self._answer(status, {})

    def _answer(self, status: int, said: dict[str, Any]) -> None:
        content = json.dumps(said).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            self.close_connection = True  # the node has gone


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it had gone already

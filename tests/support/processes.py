"""Real processes on loopback: redis-server, and Portiere's own programs."""

import base64
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx
import redis

T = TypeVar("T")
_CHANCE = random.SystemRandom()
# Of eight ports each worker of pytest-xdist has one, so none takes what another is about to bind.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
# Those that were given last, more than any test has: they may not be bound yet.
_given: deque[int] = deque(maxlen=100)

REPOSITORY = Path(__file__).parents[2]
PORTIERE = str(Path(sys.executable).with_name("portiere"))
PROPERTY = REPOSITORY / "app/conversation/property.example.yml"
WEBHOOK_SECRET = "invented-webhook-secret"
API_KEY = "invented-api-key"
REDIS_PASSWORD = "invented-redis-password"
# In seconds. For a machine that deploys rehearsal hosts beside the tests: a program that takes 2 s
# to start has taken 25 s there.
PATIENCE = 60


class NeverHappenedError(AssertionError):
    """Something awaited did not come about in time."""


def eventually(ask: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """The first truthy answer of ``ask``; for what offers no event to wait on.

    Asked less often as it takes longer: what is waited for needs the processor, too.
    """
    deadline, rest = time.monotonic() + seconds, 0.02
    while time.monotonic() < deadline:
        if answer := ask():
            return answer
        time.sleep(rest)
        rest = min(rest * 1.05, 0.15)
    raise NeverHappenedError(f"not within {seconds} s: {what}")


def free_port() -> int:
    """A port of loopback that was free a moment ago, and that nobody else gets by chance.

    Below those that a kernel gives to whoever binds port 0 (Linux from 32768, macOS from 49152), or
    a server of the test beside could get it meanwhile. By the system's own chance: hypothesis seeds
    `random` alike in all processes.
    """
    while True:
        port = _CHANCE.randrange(20_000 + _WORKER, 32_000, 8)
        if port in _given:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.append(port)
            return port


@dataclass
class Process:
    """A program with its log in a file."""

    command: list[str]
    env: Mapping[str, str]
    log: Path
    popen: "subprocess.Popen[bytes]" = field(init=False)

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as out:
            self.popen = subprocess.Popen(
                self.command, env={**os.environ, **self.env}, stdout=out, stderr=out
            )

    def kill(self) -> None:
        """``kill -9``."""
        self.popen.kill()
        self.popen.wait()

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(timeout=30)

    def alive(self) -> bool:
        """Whether it runs; shows its log if it ended by itself."""
        if self.popen.poll() is None:
            return True
        raise NeverHappenedError(f"{self.command[:2]} ended:\n{self.log.read_text()[-4000:]}")


@contextmanager
def redis_server(directory: Path) -> Iterator[tuple[Process, str]]:
    """A real redis-server on a free port, with a password; yields it and its URL."""
    port = free_port()
    config = directory / "redis.conf"
    config.write_text(
        f"port {port}\nbind 127.0.0.1\nrequirepass {REDIS_PASSWORD}\n"
        f"dir {directory}\nappendonly yes\nappendfsync everysec\nmaxmemory-policy noeviction\n"
    )
    process = Process(["redis-server", str(config)], {}, directory / "redis.log")
    url = f"redis://:{REDIS_PASSWORD}@127.0.0.1:{port}/0"
    process.start()
    try:
        wait_for_redis(process, url)
        yield process, url
    finally:
        process.stop()


def wait_for_redis(process: Process, url: str) -> None:
    """Wait until Redis answers."""

    def answers() -> bool:
        try:
            return bool(redis.Redis.from_url(url).ping())
        except redis.RedisError:
            return not process.alive()

    eventually(answers, "redis-server answers")


def wait_for_http(process: Process, url: str) -> None:
    """Wait until ``url`` answers anything at all."""

    def answers() -> bool:
        try:
            return httpx.get(url).status_code > 0
        except httpx.HTTPError:
            return not process.alive()

    eventually(answers, f"{url} answers")


def start_and_wait(process: Process, event: str) -> None:
    """Start a program and wait until its log has ``event`` once more."""
    seen = process.log.read_text().count(event) if process.log.exists() else 0
    process.start()
    eventually(lambda: process.alive() and process.log.read_text().count(event) > seen, f"{event}")


@dataclass
class Stack:
    """A gateway, a worker and the sandbox, over a real Redis."""

    directory: Path
    redis: Process
    redis_url: str
    overrides: dict[str, str] = field(default_factory=dict)
    gateway_port: int = field(default_factory=free_port)
    sandbox_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.gateway = self._program("serve")
        self.worker = self._program("work")
        self.node = self._program("node")
        self.sandbox = self._program(
            "sandbox", "--host", "127.0.0.1", "--port", str(self.sandbox_port)
        )

    @property
    def gateway_url(self) -> str:
        """Where webhooks go."""
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def sandbox_url(self) -> str:
        """Spoki, as far as the worker knows."""
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.directory / "portiere.db"

    @property
    def env(self) -> dict[str, str]:
        """The settings of all three."""
        return {
            "PORTIERE_GATEWAY_BIND": f"127.0.0.1:{self.gateway_port}",
            "PORTIERE_DATABASE": str(self.database),
            "PORTIERE_REDIS_URL": self.redis_url,
            "PORTIERE_SPOKI_BASE_URL": self.sandbox_url,
            "PORTIERE_SPOKI_API_KEY": API_KEY,
            "PORTIERE_SPOKI_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "PORTIERE_SEAL_KEYS": f"k1:{base64.b64encode(b's' * 32).decode()}",
            "PORTIERE_INDEX_KEY": base64.b64encode(b"i" * 32).decode(),
            "PORTIERE_PROPERTY_FILE": str(PROPERTY),
            "PORTIERE_SANDBOX_API_KEY": API_KEY,
            "PORTIERE_SANDBOX_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "PORTIERE_SANDBOX_WEBHOOK_URL": f"{self.gateway_url}/webhooks/spoki",
            **self.overrides,
        }

    def start_gateway(self) -> None:
        """Start the gateway and wait until it answers."""
        self.gateway.start()
        wait_for_http(self.gateway, f"{self.gateway_url}/health")

    def start_sandbox(self) -> None:
        """Start the sandbox and wait until it answers."""
        self.sandbox.start()
        wait_for_http(self.sandbox, f"{self.sandbox_url}/sandbox/sends")

    def start_worker(self) -> None:
        """Start the worker and wait until it says that it is ready."""
        start_and_wait(self.worker, "worker_ready")

    def start_node(self) -> None:
        """Start the node and wait until it says that it is ready."""
        start_and_wait(self.node, "node_ready")

    def stop(self) -> None:
        """End what runs."""
        for process in (self.node, self.worker, self.gateway, self.sandbox):
            if hasattr(process, "popen"):
                process.stop()

    def _program(self, *arguments: str) -> Process:
        return Process([PORTIERE, *arguments], self.env, self.directory / f"{arguments[0]}.log")


@contextmanager
def stack(directory: Path, **overrides: str) -> Iterator[Stack]:
    """A stack with nothing but Redis started; all that was started is ended."""
    with redis_server(directory) as (process, url):
        found = Stack(directory, process, url, overrides)
        try:
            yield found
        finally:
            found.stop()

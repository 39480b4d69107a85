"""Two whole machines on loopback: each a gateway, a worker, a node and a Redis; between them the
cloud's API, which keeps the lease, and the place that both replicate to.

The provider's webhooks come by the VPS's door. What this can't show: a power cut (the page cache
lives on), a link of its own, two clocks. tests/rehearsal does.
"""

import base64
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from app.ha import view
from app.ha.view import View
from app.leading import Role
from tests.support.events import encode, inbound, signed
from tests.support.processes import (
    API_KEY,
    PORTIERE,
    PROPERTY,
    REDIS_PASSWORD,
    WEBHOOK_SECRET,
    Process,
    eventually,
    free_port,
    wait_for_http,
    wait_for_redis,
)

TTL_SECONDS = 5
ECHO_WAIT_SECONDS = 3
NAMES = ("mac", "vps")


def key(letter: str) -> str:
    """An invented key."""
    return base64.b64encode(letter.encode() * 32).decode()


@dataclass
class Host:
    """One machine."""

    name: str
    directory: Path
    env: dict[str, str]
    gateway_port: int
    redis_port: int
    redis: Process = field(init=False)

    def __post_init__(self) -> None:
        self.directory.mkdir()
        acl = self.directory / "users.acl"
        acl.write_text(
            f"user default on >{REDIS_PASSWORD} ~* &* +@all\n"
            f"user replica on >{REDIS_PASSWORD} +sync +psync +replconf +ping\n"
        )
        config = self.directory / "redis.conf"
        config.write_text(
            f"port {self.redis_port}\nbind 127.0.0.1\naclfile {acl}\ndir {self.directory}\n"
            "appendonly yes\nrepl-timeout 5\nrepl-ping-replica-period 1\n"
        )
        self.redis = Process(["redis-server", str(config)], {}, self.directory / "redis.log")
        self.gateway, self.worker, self.node = (
            Process([PORTIERE, verb], self.env, self.directory / f"{verb}.log")
            for verb in ("serve", "work", "node")
        )

    @property
    def programs(self) -> tuple[Process, ...]:
        """Redis first."""
        return self.redis, self.gateway, self.worker, self.node

    @property
    def url(self) -> str:
        """Its door."""
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def redis_url(self) -> str:
        """Its Redis."""
        return f"redis://:{REDIS_PASSWORD}@127.0.0.1:{self.redis_port}/0"

    @property
    def database(self) -> Path:
        """Where its database is while it leads."""
        return self.directory / "data/portiere.db"

    def start(self) -> None:
        """Start all of it; returns once the door answers."""
        self.redis.start()
        wait_for_redis(self.redis, self.redis_url)
        for process in (self.gateway, self.worker, self.node):
            process.start()
        wait_for_http(self.gateway, f"{self.url}/health")

    def power_off(self) -> None:
        """All of it is killed at once, what its node started too."""
        for process in self.programs:
            if hasattr(process, "popen"):
                process.kill()
        for lock in (self.directory / "data/ha").glob("*.lock"):
            with suppress(ValueError, ProcessLookupError):
                os.kill(int(lock.read_text().strip() or "none"), signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        for process in reversed(self.programs):
            if hasattr(process, "popen"):
                process.stop()

    def has_a_standby(self) -> bool:
        """Whether it has heard that the other is ready."""
        seen = self.view()
        return bool(seen and seen.peer_report and seen.peer_report.is_ready)

    def boot_anew(self) -> None:
        """As after a boot: how the machine stood before says nothing."""
        (self.directory / "data/ha/standing.json").unlink()

    def ha(self, *words: str) -> int:
        """``portiere ha …`` on this machine; its exit code."""
        process = Process([PORTIERE, "ha", *words], self.env, self.directory / "ha.log")
        process.start()
        return process.popen.wait(timeout=120)

    def view(self) -> View | None:
        """What its node sees."""
        return view.read(self.directory / "data/ha")

    def leads(self) -> bool:
        """Whether its node says so, by now."""
        seen = self.view()
        return seen is not None and seen.is_current and seen.leads

    def is_silent(self) -> bool:
        """Whether its node hasn't written for longer than one that runs."""
        seen = self.view()
        return seen is None or not seen.is_current

    def holds(self) -> bool:
        """Whether it leads and may not act."""
        seen = self.view()
        return seen is not None and seen.is_current and seen.holds

    def is_alone(self) -> bool:
        """Whether it leads, has not heard the authority for longer than a lease, and may act."""
        seen = self.view()
        if seen is None or seen.authority_since is None or not self.leads():
            return False
        return datetime.now(UTC) - seen.authority_since > timedelta(seconds=TTL_SECONDS)

    def reaches_nobody(self) -> bool:
        """Whether its node runs and has not heard the authority."""
        seen = self.view()
        return seen is not None and seen.is_current and seen.authority_by is None

    def is_ready(self) -> bool:
        """Whether it stands by, in step."""
        seen = self.view()
        return (
            seen is not None
            and seen.is_current
            and seen.standing.role is Role.STANDBY
            and seen.is_ready
        )

    def post(self, text: str, phone: str = "+390000000001") -> str:
        """A guest's message at this door, as the provider posts it; the key of its reply."""
        event = inbound(text, phone=phone)
        body = encode(event)
        headers = signed(body, WEBHOOK_SECRET)
        answer = httpx.post(f"{self.url}/webhooks/spoki", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return f"reply-{event['data']['uuid']}"


@dataclass
class BothMachines:
    """Both of them, the authority and the sandbox."""

    directory: Path
    overrides: dict[str, str]

    def __post_init__(self) -> None:
        self.ports = {name: (free_port(), free_port()) for name in NAMES}
        self.cloud_port, self.sandbox_port = free_port(), free_port()
        place = self.directory / "place"
        place.mkdir()
        self.mac, self.vps = (self._host(name, place) for name in NAMES)
        self.cloud = Process(
            [PORTIERE, "cloud", "api"], self._cloud_env(), self.directory / "cloud.log"
        )
        sandbox_env = {
            "PORTIERE_SANDBOX_API_KEY": API_KEY,
            "PORTIERE_SANDBOX_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "PORTIERE_SANDBOX_WEBHOOK_URL": f"{self.vps.url}/webhooks/spoki",
        }
        self.sandbox = Process(
            [PORTIERE, "sandbox", "--host", "127.0.0.1", "--port", str(self.sandbox_port)],
            sandbox_env,
            self.directory / "sandbox.log",
        )

    @property
    def sandbox_url(self) -> str:
        """Spoki."""
        return f"http://127.0.0.1:{self.sandbox_port}"

    def start_outside(self) -> None:
        """Start the authority and the sandbox."""
        migrate = Process(
            [PORTIERE, "cloud", "migrate"], self._cloud_env(), self.directory / "migrate.log"
        )
        migrate.start()
        assert migrate.popen.wait() == 0
        self.start_cloud()
        self.sandbox.start()
        wait_for_http(self.sandbox, f"{self.sandbox_url}/sandbox/sends")

    def start_cloud(self) -> None:
        """Start the authority."""
        self.cloud.start()
        wait_for_http(self.cloud, f"http://127.0.0.1:{self.cloud_port}/health")

    def start(self) -> None:
        """Start all; returns once the Mac leads and the VPS is ready."""
        self.start_outside()
        self.mac.start()
        self.vps.start()
        eventually(self.mac.leads, "the Mac leads")
        eventually(self.vps.is_ready, "the VPS stands by")
        eventually(self.mac.has_a_standby, "the Mac has heard so")

    def stop(self) -> None:
        """End all that runs."""
        for host in (self.mac, self.vps):
            host.stop()
        for process in (self.cloud, self.sandbox):
            if hasattr(process, "popen"):
                process.stop()

    def replies(self) -> Counter[str]:
        """How often each message was handed to the provider and taken, by its idempotency key."""
        answer = httpx.get(f"{self.sandbox_url}/sandbox/sends", params={"accepted": True})
        calls = answer.raise_for_status().json()["results"]
        return Counter(call["body"]["metadata"]["correlation_id"] for call in calls)

    def _host(self, name: str, place: Path) -> Host:
        other = NAMES[1 - NAMES.index(name)]
        gateway_port, redis_port = self.ports[name]
        directory = self.directory / name
        env = {
            "PORTIERE_NODE_NAME": name,
            "PORTIERE_GATEWAY_BIND": f"127.0.0.1:{gateway_port}",
            "PORTIERE_DATABASE": str(directory / "data/portiere.db"),
            "PORTIERE_REDIS_URL": f"redis://:{REDIS_PASSWORD}@127.0.0.1:{redis_port}/0",
            "PORTIERE_SPOKI_BASE_URL": self.sandbox_url,
            "PORTIERE_SPOKI_API_KEY": API_KEY,
            "PORTIERE_SPOKI_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "PORTIERE_SEAL_KEYS": f"k1:{key('s')}",
            "PORTIERE_INDEX_KEY": key("i"),
            "PORTIERE_PROPERTY_FILE": str(PROPERTY),
            "PORTIERE_QUIET_FROM": "00:00",
            "PORTIERE_QUIET_UNTIL": "00:00",
            "PORTIERE_SEND_ECHO_WAIT": str(ECHO_WAIT_SECONDS),
            "PORTIERE_CLOUD_KEY": key(name[0]),
            "PORTIERE_HA_AUTHORITY": f"http://127.0.0.1:{self.cloud_port}",
            "PORTIERE_HA_PEER": other,
            "PORTIERE_HA_PEER_URLS": f"http://127.0.0.1:{self.ports[other][0]}",
            "PORTIERE_HA_KEY": key("h"),
            "PORTIERE_HA_PREFERRED": str(name == "mac").lower(),
            "PORTIERE_HA_RENEW": "0.5",
            "PORTIERE_HA_MARGIN": "0.5",
            "PORTIERE_HA_CALM": "2",
            "PORTIERE_HA_REPLICA": f"file://{place}",
            "PORTIERE_HA_REDIS_ADMIN_URL": f"redis://:{REDIS_PASSWORD}@127.0.0.1:{redis_port}/0",
            "PORTIERE_HA_REDIS_PASSWORD": REDIS_PASSWORD,
            "PORTIERE_HA_REDIS_PEER": f"127.0.0.1:{self.ports[other][1]}",
            **self.overrides,
        }
        return Host(name, directory, env, gateway_port, redis_port)

    def _cloud_env(self) -> dict[str, str]:
        clients = {
            name: {"keys": [key(name[0])], "scopes": ["lease", "commands", "events"]}
            for name in NAMES
        }
        return {
            "PORTIERE_STORE_URL": f"sqlite:///{self.directory / 'cloud.db'}",
            "PORTIERE_REDIS_URL": f"redis://:{REDIS_PASSWORD}@127.0.0.1:{self.ports['vps'][1]}/1",
            "PORTIERE_SEAL_KEYS": f"k1:{key('c')}",
            "PORTIERE_CLOUD_BIND": f"127.0.0.1:{self.cloud_port}",
            "PORTIERE_API_CLIENTS": json.dumps(clients),
            "PORTIERE_LEASE_TTL": str(TTL_SECONDS),
            "PORTIERE_LEASE_GRACE": "1",
        }


@contextmanager
def both_machines(directory: Path, **overrides: str) -> Iterator[BothMachines]:
    """Two machines, nothing started; all that was started is ended."""
    found = BothMachines(directory, overrides)
    try:
        yield found
    finally:
        found.stop()

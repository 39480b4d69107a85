"""Two nodes on loopback, each with a Redis and a gateway; the test says who leads.

What a node (`app.ha.node`) would write down, the test writes: no lease is asked for here.
"""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from app.ha.forwarding import Forwarder
from app.ha.replaying import Replayed, replay
from app.ha.spool import Spool, State
from app.leading import Kept, Role, Standing, keep
from app.sealing import Seal
from app.settings import Settings
from app.signing import Asked, sign
from app.store.database import Database, open_database
from tests.support.events import encode, signed
from tests.support.guest import SEAL
from tests.support.processes import (
    WEBHOOK_SECRET,
    Stack,
    eventually,
    free_port,
    redis_server,
)

HA_KEY = b"h" * 32
CLOUD_KEY = b"c" * 32
CLIENTS = {
    "cloud": {
        "keys": [base64.b64encode(CLOUD_KEY).decode()],
        "scopes": ["commands", "metrics", "queues"],
    }
}
LONG_AGO = datetime.fromtimestamp(0, UTC)


@dataclass
class Node:
    """A node: its stack, and how it stands."""

    name: str
    stack: Stack
    seal: Seal = SEAL
    # A connection for each request: one that is kept may be one to a gateway that was killed.
    _client: httpx.Client = field(
        default_factory=lambda: httpx.Client(
            verify=False, timeout=20, limits=httpx.Limits(max_keepalive_connections=0)
        )
    )

    @property
    def url(self) -> str:
        """Its gateway's."""
        return self.stack.gateway_url

    @property
    def standing_file(self) -> Path:
        """Where its node writes down how it stands."""
        return self.stack.directory / "ha" / "standing.json"

    @property
    def spool(self) -> Spool:
        """Its spool, opened beside its gateway."""
        return Spool(self.stack.directory / "ha" / "spool.db", self.seal)

    def stand(self, role: Role, term: int, leader: str) -> None:
        """Write down how it stands."""
        keep(self.standing_file, Standing(role, term, leader=leader))

    def health(self) -> dict[str, Any]:
        """What it says of itself."""
        return dict(self._client.get(f"{self.url}/health").json())

    def serves_as(self, role: Role) -> bool:
        """Whether its gateway does what its standing says by now."""
        try:
            told = self.health()
        except httpx.HTTPError:
            return False
        return told["role"] == role and ("database" in told) == (role is Role.LEADER)

    def post(self, event: dict[str, Any], secret: str = WEBHOOK_SECRET) -> httpx.Response:
        """An event, as the provider posts it."""
        body = encode(event)
        return self._client.post(
            f"{self.url}/webhooks/spoki", content=body, headers=signed(body, secret)
        )

    def ask(self, method: str, target: str, body: bytes = b"", key: str = "") -> httpx.Response:
        """A request of the cloud's."""
        headers = sign(Asked(method, target, body), "cloud", CLOUD_KEY)
        headers |= {"Content-Type": "application/json"} if body else {}
        headers |= {"Idempotency-Key": key} if key else {}
        return self._client.request(method, f"{self.url}{target}", content=body, headers=headers)

    def command(self, key: str, command: dict[str, Any]) -> httpx.Response:
        """A command of the cloud's."""
        return self.ask("POST", "/api/commands", json.dumps(command).encode(), key)

    def inbox(self) -> Counter[str]:
        """How often each event is in its database, which there may not be."""
        if not self.stack.database.exists():
            return Counter()
        rows = Database(self.stack.database).all("SELECT event_id FROM inbox ORDER BY id")
        return Counter(row["event_id"] for row in rows)

    def commands(self) -> list[str]:
        """The ids of the commands in its database."""
        rows = Database(self.stack.database).all("SELECT command_id FROM commands ORDER BY id")
        return [row["command_id"] for row in rows]

    def spooled(self, *states: State) -> list[str]:
        """The events in its spool that are in one of these states, in order; all by default."""
        wanted = states or tuple(State)
        return [
            name[1]
            for row in self.spool.all_after(limit=100_000)
            for name in row.entry.names
            if row.state in wanted
        ]

    def replay(self, held_until: datetime = LONG_AGO) -> Replayed:
        """What its node does as it begins to lead."""
        database = open_database(self.stack.database)
        try:
            return replay(database, self.seal, self.spool, held_until)
        finally:
            database.close_all()

    def metric(self, name: str) -> float | None:
        """The value of a metric with one series; None if it isn't shown."""
        lines = self.ask("GET", "/metrics").raise_for_status().text.splitlines()
        found = [line for line in lines if line.startswith((f"{name}{{", f"{name} "))]
        return float(found[0].rpartition(" ")[2]) if found else None

    @contextmanager
    def forwarding(self, copy: Path | None = None) -> Iterator[Forwarder]:
        """Its node's thread that forwards."""
        settings = Settings.model_validate(
            {name.removeprefix("PORTIERE_").lower(): v for name, v in self.stack.env.items()}
        )
        standing = Kept(self.standing_file)
        forwarder = Forwarder(settings, standing, self.spool, lambda: copy, lambda: None)
        forwarder.start()
        try:
            yield forwarder
        finally:
            forwarder.stop()


@dataclass
class Pair:
    """Both of them; ``mac`` leads at first."""

    mac: Node
    vps: Node

    def start(self) -> None:
        """Start both gateways, the mac leading in term 1."""
        self.lead(self.mac, 1)
        for node in (self.mac, self.vps):
            node.stack.start_gateway()
        self.settled()
        # The first gateway to run found the other door shut; it looks each second.
        eventually(lambda: self.mac.metric("portiere_mirror_up") == 1, "the other takes copies")

    def lead(self, leader: Node, term: int) -> None:
        """Write down that ``leader`` leads, the other one first."""
        for node in (self.mac, self.vps):
            if node is not leader:
                node.stand(Role.STANDBY, term, leader.name)
        leader.stand(Role.LEADER, term, leader.name)

    def settled(self) -> None:
        """Wait until both gateways do what their standings say."""
        for node in (self.mac, self.vps):
            role = Kept(node.standing_file).standing().role
            eventually(partial(node.serves_as, role), f"{node.name} is {role}")


@contextmanager
def two_nodes(directory: Path, link_is_cut: bool = False, **overrides: str) -> Iterator[Pair]:
    """Two nodes, not started; ``link_is_cut``: nobody answers at the first address of either."""
    ports = {"mac": free_port(), "vps": free_port()}
    other = {"mac": "vps", "vps": "mac"}
    with ExitStack() as running:
        nodes = {}
        for name, port in ports.items():
            home = directory / name
            home.mkdir()
            process, redis_url = running.enter_context(redis_server(home))
            urls = [f"http://127.0.0.1:{ports[other[name]]}"]
            if link_is_cut:
                urls.insert(0, f"http://127.0.0.1:{free_port()}")
            settings = {
                "PORTIERE_NODE_NAME": name,
                "PORTIERE_HA_AUTHORITY": "http://authority.example.invalid",
                "PORTIERE_HA_PEER": other[name],
                "PORTIERE_HA_PEER_URLS": ",".join(urls),
                "PORTIERE_HA_KEY": base64.b64encode(HA_KEY).decode(),
                "PORTIERE_HA_REPLICA": f"file://{directory}/replica",
                "PORTIERE_HA_REDIS_ADMIN_URL": redis_url,
                "PORTIERE_HA_REDIS_PEER": "127.0.0.1:1",
                "PORTIERE_API_CLIENTS": json.dumps(CLIENTS),
                **overrides,
            }
            stack = Stack(home, process, redis_url, settings, gateway_port=port)
            running.callback(stack.stop)
            nodes[name] = Node(name, stack)
        yield Pair(nodes["mac"], nodes["vps"])

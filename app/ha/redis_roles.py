"""Whose copy this machine's Redis is.

The user of ``ha_redis_admin_url`` needs ``+ping +info +replicaof +config|get +config|set``, and for
:func:`forget_queue` ``+scan +unlink`` on ``~dramatiq:*``. The user that the copy signs in as at the
other Redis needs ``+psync +replconf +ping``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.settings import Settings
from app.work.broker import QUEUE

# Asked each second, by who also renews the lease.
_TIMEOUT: Final = 1.0
# Dramatiq's, and the keys of a queue (`dispatch.lua` of 2.2): ids, texts; of the delayed and dead.
_NAMESPACE: Final = "dramatiq"
_KEYS: Final = ("", ".msgs", ".DQ", ".DQ.msgs", ".XQ", ".XQ.msgs")


class RedisRole(StrEnum):
    """``away``: it doesn't answer."""

    PRIMARY = "primary"
    REPLICA = "replica"
    AWAY = "away"


@dataclass(frozen=True)
class RedisState:
    """What Redis says of itself.

    ``link_up``: a replica has its primary, a primary its replica. ``offset``: of the replication's
    stream. ``lag_bytes``: what a replica has heard of and not got, or what a primary's replica
    hasn't confirmed; None: not known.
    """

    role: RedisRole
    link_up: bool = False
    offset: int = 0
    lag_bytes: int | None = None


def admin(settings: Settings) -> "redis.Redis":
    """A client for the functions here; it gives up after a second."""
    return redis.Redis.from_url(
        settings.ha_redis_admin_url.get_secret_value(),
        socket_timeout=_TIMEOUT,
        socket_connect_timeout=_TIMEOUT,
        retry=Retry(NoBackoff(), 1),
    )


def state(client: "redis.Redis") -> RedisState:
    """How this Redis stands; never raises `redis.RedisError`."""
    try:
        found = _info(client)
    except redis.RedisError:
        return RedisState(RedisRole.AWAY)
    return _replica(found) if found["role"] == "slave" else _primary(found)


def lead(client: "redis.Redis") -> None:
    """Make it the primary; does nothing if it is. Raises `redis.RedisError`."""
    if _info(client)["role"] == "slave":
        client.replicaof("NO", "ONE")


def follow(client: "redis.Redis", peer: str, user: str, password: str) -> None:
    """Make it the copy of the Redis at ``peer`` (host:port); does nothing if it is.

    Its own contents are lost. Raises `redis.RedisError`.
    """
    host, _, port = peer.rpartition(":")
    host = host.strip("[]")
    changed = [_configure(client, "masteruser", user), _configure(client, "masterauth", password)]
    found = _info(client)
    if not any(changed) and (found.get("master_host"), found.get("master_port")) == (
        host,
        int(port),
    ):
        return
    client.replicaof(host, port)


def forget_queue(client: "redis.Redis") -> None:
    """Delete the desk's queue: the rows are the truth, and the relay refills it.

    What the former primary's workers had in hand is forgotten with it. Raises `redis.RedisError`.
    """
    # Workers' keys: dramatiq:__acks__.<worker's id>.<queue>
    taken = [
        key
        for queue in (QUEUE, f"{QUEUE}.DQ")
        for key in client.scan_iter(match=f"{_NAMESPACE}:__acks__.*.{queue}", count=1000)
    ]
    client.unlink(*(f"{_NAMESPACE}:{QUEUE}{end}" for end in _KEYS), *taken)


def _info(client: "redis.Redis") -> dict[str, Any]:
    found: dict[str, Any] = client.info("replication")
    return found


def _replica(found: dict[str, Any]) -> RedisState:
    offset = int(found.get("slave_repl_offset", 0))
    is_up = found.get("master_link_status") == "up"
    heard = int(found.get("slave_read_repl_offset", offset))
    return RedisState(RedisRole.REPLICA, is_up, offset, heard - offset if is_up else None)


def _primary(found: dict[str, Any]) -> RedisState:
    offset = int(found.get("master_repl_offset", 0))
    replicas = [found[f"slave{number}"] for number in range(int(found["connected_slaves"]))]
    online = [int(one["offset"]) for one in replicas if one.get("state") == "online"]
    lag = offset - max(online) if online else None
    return RedisState(RedisRole.PRIMARY, bool(online), offset, lag)


def _configure(client: "redis.Redis", name: str, value: str) -> bool:
    """Set it; whether that was needed."""
    if client.config_get(name)[name] == value:
        return False
    client.config_set(name, value)
    return True

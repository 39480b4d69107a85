"""The queue: Dramatiq over Redis, woken instead of polled, filled many at a time.

Queue messages hold a row id and nothing else. Dramatiq's retries and dead letters are left out: the
row is what is retried, by the relay, so nothing hangs on a message that Redis may lose.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import Middleware, ShutdownNotifications
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

QUEUE = "desk"
# How long a consumer sits in Redis waiting for a message; shorter than the socket's timeout.
BLOCK = timedelta(seconds=1)
SOCKET_TIMEOUT = timedelta(seconds=5)
# A worker that was killed is forgotten after this; its messages are the relay's to queue again.
HEARTBEAT_TIMEOUT = timedelta(seconds=60)


class WokenConsumer(_RedisConsumer):
    """Waits in Redis until the queue has something, where Dramatiq's own sleeps and looks again.

    ``BLMOVE queue queue LEFT LEFT`` puts the first id back where it was: a blocking read that
    changes nothing. With sleeping, an idle queue costs 250 ms at Dramatiq's defaults.
    """

    def __next__(self) -> Any:
        try:
            if not self.message_cache and self.outstanding_message_count < self.prefetch:
                key = f"{self.broker.namespace}:{self.queue_name}"
                self.broker.client.blmove(key, key, BLOCK.total_seconds(), "LEFT", "LEFT")
                self.misses = 0
            return super().__next__()  # type: ignore[no-untyped-call]  # dramatiq has no types here
        except (redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError) as error:
            raise ConnectionClosed(error) from None


class DeskBroker(RedisBroker):
    """A Redis broker whose consumers are woken and which takes many messages in one round trip."""

    def __init__(self, client: "redis.Redis", middleware: list[Middleware]) -> None:
        super().__init__(  # type: ignore[no-untyped-call]  # dramatiq has no types here
            client=client,
            middleware=middleware,
            heartbeat_timeout=int(HEARTBEAT_TIMEOUT.total_seconds() * 1000),
        )

    @property
    def consumer_class(self) -> type[WokenConsumer]:
        """What `consume` makes."""
        return WokenConsumer

    def enqueue_many(self, messages: Iterable[dramatiq.Message[Any]]) -> None:
        """Put messages on the queue in order.

        The two writes are those of Dramatiq's own ``enqueue`` (``dispatch.lua`` of 2.2).
        """
        encoded: dict[Any, Any] = {message.message_id: _encoded(message) for message in messages}
        if not encoded:
            return
        key = f"{self.namespace}:{QUEUE}"
        # The text before its id: an id on the queue always has its text, without a transaction.
        with self.client.pipeline(transaction=False) as pipeline:
            pipeline.hset(f"{key}.msgs", mapping=encoded)
            pipeline.rpush(key, *encoded)
            pipeline.execute()

    def waiting(self) -> int:
        """How many messages wait on the queue."""
        return int(self.client.llen(f"{self.namespace}:{QUEUE}"))


def _encoded(message: dramatiq.Message[Any]) -> bytes:
    with_id: bytes = message.copy(options={"redis_message_id": message.message_id}).encode()
    return with_id


def make_client(url: str) -> "redis.Redis":
    """A Redis client that outlives a restart of Redis (seconds), and no more than that."""
    return redis.Redis.from_url(
        url,
        socket_timeout=SOCKET_TIMEOUT.total_seconds(),
        socket_connect_timeout=1,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3),
    )


def make_broker(url: str, middleware: list[Middleware]) -> DeskBroker:
    """The broker for the Redis at ``url``."""
    broker = DeskBroker(make_client(url), [ShutdownNotifications(), *middleware])
    broker.declare_queue(QUEUE)
    return broker

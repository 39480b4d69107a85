"""A queue over Dramatiq and Redis: woken instead of polled, filled many at a time.

What every queue here has in common: its messages hold row ids and nothing else, and the row is what
is tried again, so nothing hangs on a message that Redis may lose.
"""

import queue
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Generic, TypeVar

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import Middleware
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

T = TypeVar("T")
# How long a consumer sits in Redis waiting for a message; shorter than the socket's timeout.
BLOCK = timedelta(seconds=1)
SOCKET_TIMEOUT = timedelta(seconds=5)
# A worker that was killed is forgotten after this; its messages are the relay's to queue again.
HEARTBEAT_TIMEOUT = timedelta(seconds=60)
# What is beyond waits for the relay: while Redis is away, ids would only pile up in memory.
MOST_IN_HAND = 10_000
log = structlog.get_logger()


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


class WokenBroker(RedisBroker):
    """A Redis broker of one queue; its consumers are woken, and it takes many messages at once."""

    def __init__(self, client: "redis.Redis", name: str, middleware: list[Middleware]) -> None:
        super().__init__(  # type: ignore[no-untyped-call]  # dramatiq has no types here
            client=client,
            middleware=middleware,
            heartbeat_timeout=int(HEARTBEAT_TIMEOUT.total_seconds() * 1000),
        )
        self.name = name
        self.declare_queue(name)

    @property
    def consumer_class(self) -> type[WokenConsumer]:
        """What `consume` makes."""
        return WokenConsumer

    def enqueue_many(self, messages: Iterable[dramatiq.Message[Any]]) -> None:
        """Put messages on the queue in order, in one round trip.

        The two writes are those of Dramatiq's own ``enqueue`` (``dispatch.lua`` of 2.2).
        """
        encoded: dict[Any, Any] = {message.message_id: _encoded(message) for message in messages}
        if not encoded:
            return
        key = f"{self.namespace}:{self.name}"
        # The text before its id: an id on the queue always has its text, without a transaction.
        with self.client.pipeline(transaction=False) as pipeline:
            pipeline.hset(f"{key}.msgs", mapping=encoded)
            pipeline.rpush(key, *encoded)
            pipeline.execute()

    def waiting(self) -> int:
        """How many messages wait on the queue."""
        return int(self.client.llen(f"{self.namespace}:{self.name}"))


class Handing(Generic[T]):
    """A thread that puts things on a queue, so that nobody waits for Redis.

    ``messages`` makes messages of what has gathered.
    """

    def __init__(
        self,
        broker: WokenBroker,
        messages: Callable[[list[T]], Iterable["dramatiq.Message[Any]"]],
    ) -> None:
        self._broker = broker
        self._messages = messages
        self._things: queue.Queue[T | None] = queue.Queue(MOST_IN_HAND)
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Queue what is in hand, then end the thread."""
        self._things.put(None)
        self._thread.join()

    def hand(self, thing: T) -> None:
        """Queue it soon. Never blocks, never fails: the row is there, the relay will find it."""
        try:
            self._things.put_nowait(thing)
        except queue.Full:
            log.warning("dispatch_skipped", what=str(thing))

    def _run(self) -> None:
        ended = False
        while not ended:
            gathered = [self._things.get()]
            while not self._things.empty():
                gathered.append(self._things.get())
            ended = None in gathered
            things = [thing for thing in gathered if thing is not None]
            enqueue(self._broker, list(self._messages(things)))


def enqueue(broker: WokenBroker, messages: list["dramatiq.Message[Any]"]) -> None:
    """Put messages on the queue; a Redis that can't be reached is logged, for the rows remain."""
    try:
        broker.enqueue_many(messages)
    except redis.RedisError as error:
        log.warning("redis_unreachable", messages=len(messages), reason=type(error).__name__)


def make_client(url: str) -> "redis.Redis":
    """A Redis client that outlives a restart of Redis (seconds), and no more than that."""
    return redis.Redis.from_url(
        url,
        socket_timeout=SOCKET_TIMEOUT.total_seconds(),
        socket_connect_timeout=1,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3),
    )


def _encoded(message: "dramatiq.Message[Any]") -> bytes:
    with_id: bytes = message.copy(options={"redis_message_id": message.message_id}).encode()
    return with_id

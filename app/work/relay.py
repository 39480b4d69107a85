"""The relay: row ids onto the queue, at once after their commit, and again if they got lost."""

import queue
import threading
from datetime import timedelta

import dramatiq
import redis
import structlog

from app.commands.unfinished import due_commands
from app.messages.provider import Guard
from app.messages.settling import MovedHook, nobody
from app.messages.unfinished import Patience, sweep
from app.store.database import Database, DatabaseError
from app.work.broker import DeskBroker
from app.work.jobs import Job, message

log = structlog.get_logger()
# What is beyond waits for the sweep: while Redis is away, ids would only pile up in memory.
MOST_IN_HAND = 10_000


class Dispatcher:
    """A thread that queues jobs, so that no request waits for Redis."""

    def __init__(self, broker: DeskBroker) -> None:
        self._broker = broker
        self._jobs: queue.Queue[tuple[Job, int] | None] = queue.Queue(MOST_IN_HAND)
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Queue what is in hand, then end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def put(self, job: Job, row_id: int) -> None:
        """Queue a job soon. Never blocks, never fails: the row is there, the sweep will find it."""
        try:
            self._jobs.put_nowait((job, row_id))
        except queue.Full:
            log.warning("dispatch_skipped", job=job, row_id=row_id)

    def _run(self) -> None:
        ended = False
        while not ended:
            batch = [self._jobs.get()]
            while not self._jobs.empty():
                batch.append(self._jobs.get())
            ended = None in batch
            enqueue(self._broker, [message(*item) for item in batch if item is not None])


class Relay:
    """A thread that sweeps every ``interval`` for rows that were left behind.

    What is to be sent waits while ``guard`` has no room for it.
    """

    def __init__(  # noqa: PLR0913 - the parts it goes between
        self,
        database: Database,
        broker: DeskBroker,
        patience: Patience,
        *,
        guard: Guard,
        interval: timedelta,
        on_moved: MovedHook = nobody,
    ) -> None:
        self._database = database
        self._broker = broker
        self._patience = patience
        self._guard = guard
        self._interval = interval
        self._on_moved = on_moved
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def start(self) -> None:
        """Start the thread; the first sweep is at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def sweep_once(self) -> int:
        """Queue every row whose time has come; how many there were."""
        found = sweep(self._database, self._patience, self._guard.room(), self._on_moved)
        jobs = [message(Job.ANSWER_MESSAGE, row_id) for row_id in found.messages]
        jobs += [message(Job.DELIVER_MESSAGE, row_id) for row_id in found.outbox]
        commands = due_commands(self._database, self._patience.grace)
        jobs += [message(Job.RUN_COMMAND, row_id) for row_id in commands]
        enqueue(self._broker, jobs)
        return len(jobs)

    def _run(self) -> None:
        while True:
            try:
                if queued := self.sweep_once():
                    log.info("relay_queued", rows=queued)
            except DatabaseError as error:
                log.error("relay_failed", reason=str(error))
            if self._stopping.wait(self._interval.total_seconds()):
                return


def enqueue(broker: DeskBroker, jobs: list[dramatiq.Message[object]]) -> None:
    """Put jobs on the queue; a Redis that can't be reached is logged, for the rows remain."""
    try:
        broker.enqueue_many(jobs)
    except redis.RedisError as error:
        log.warning("redis_unreachable", jobs=len(jobs), reason=type(error).__name__)

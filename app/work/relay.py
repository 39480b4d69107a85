"""The relay: row ids onto the queue, at once after their commit, and again if they got lost."""

import threading
from datetime import timedelta

import structlog

from app.commands.unfinished import due_commands
from app.leading import Leadership
from app.messages.provider import Guard
from app.messages.settling import MovedHook, nobody
from app.messages.unfinished import Patience, sweep
from app.queueing import Handing, enqueue
from app.store.database import Database, DatabaseError
from app.work.broker import DeskBroker
from app.work.jobs import Job, message

log = structlog.get_logger()


class Dispatcher(Handing[tuple[Job, int]]):
    """A thread that queues jobs, so that no request waits for Redis."""

    def __init__(self, broker: DeskBroker) -> None:
        super().__init__(broker, lambda jobs: [message(*one) for one in jobs])

    def put(self, job: Job, row_id: int) -> None:
        """Queue a job soon. Never blocks, never fails: the row is there, the sweep will find it."""
        self.hand((job, row_id))


class Relay:
    """A thread that sweeps every ``interval`` for rows that were left behind.

    What is to be sent waits while ``guard`` has no room for it, and all while this machine may not
    act: nothing would come of it but the same rows once more.
    """

    def __init__(  # noqa: PLR0913 - the parts it goes between
        self,
        database: Database,
        broker: DeskBroker,
        patience: Patience,
        *,
        guard: Guard,
        leadership: Leadership,
        interval: timedelta,
        on_moved: MovedHook = nobody,
    ) -> None:
        self._database = database
        self._broker = broker
        self._patience = patience
        self._guard = guard
        self._leadership = leadership
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
        if self._leadership.term() is None:
            return 0
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

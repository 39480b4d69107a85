"""The runs in a process's hands: their leases are renewed while it works on them.

One whose lease is over has lost its worker; the relay queues it again.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import structlog

from cloud_jobs.runtime.claiming import Claimed, extend, give_back
from cloud_jobs.store.database import Store, StoreUnavailable

log = structlog.get_logger()


class Hands:
    """Which runs the threads of a process hold; a thread of its own renews their leases.

    A thread that claimed several works on one after another. Those that still wait for their turn
    when leases are renewed are given back, and dispatched by ``dispatch`` for others to take: the
    one before them is slow.
    """

    def __init__(
        self, store: Store, lease: timedelta, dispatch: Callable[[Sequence[str]], None]
    ) -> None:
        self._store = store
        self._lease = lease
        self._dispatch = dispatch
        self._waiting: dict[str, Claimed] = {}
        self._begun: dict[str, Claimed] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeats", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is still held is taken up by others once its lease is over."""
        self._stopping.set()
        self._thread.join()

    @contextmanager
    def holding(self, claimed: Sequence[Claimed]) -> Iterator[None]:
        """Hold runs meanwhile."""
        with self._lock:
            self._waiting.update({one.run_id: one for one in claimed})
        try:
            yield
        finally:
            with self._lock:
                for one in claimed:
                    self._waiting.pop(one.run_id, None)
                    self._begun.pop(one.run_id, None)

    def begin(self, claimed: Claimed) -> bool:
        """Begin with a run that is held; False if it was given back."""
        with self._lock:
            if self._waiting.pop(claimed.run_id, None) is None:
                return False
            self._begun[claimed.run_id] = claimed
            return True

    def renew(self) -> None:
        """Renew the leases of all that is worked on, and give back the rest."""
        with self._lock:
            waiting, self._waiting = list(self._waiting.values()), {}
            begun = list(self._begun.values())
        if not begun and not waiting:
            return
        with self._store.writing() as session:
            give_back(session, waiting)
        with self._store.writing() as session:
            extend(session, begun, datetime.now(UTC) + self._lease)
        self._dispatch([one.run_id for one in waiting])

    def _run(self) -> None:
        # Twice more before a lease is over, should one fail.
        while not self._stopping.wait(self._lease.total_seconds() / 3):
            try:
                self.renew()
            except StoreUnavailable as error:
                log.error("leases_not_renewed", reason=type(error).__name__)

"""Each run has its job's time limit, also where one message holds several."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from dramatiq import Broker, Worker
from dramatiq.middleware import TimeLimit


class TimeLimits(TimeLimit):
    """Dramatiq's middleware, set by run instead of by message; give it to the broker.

    It raises :class:`dramatiq.middleware.TimeLimitExceeded` in the thread once that runs Python
    code again: a call into a system that never answers needs a timeout of its own.
    """

    def __init__(self) -> None:
        super().__init__(time_limit=float("inf"))  # of a message

    def before_worker_boot(self, _broker: Broker, _worker: Worker) -> None:
        """Start watching; Dramatiq's own begins with its command line, which isn't used here."""
        self.manager.start()

    @contextmanager
    def __call__(self, limit: timedelta) -> Iterator[None]:
        """Keep what the thread does meanwhile to ``limit``."""
        thread = threading.get_ident()
        milliseconds = limit / timedelta(milliseconds=1)
        self.manager.add_timeout(thread, milliseconds)  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            self.manager.remove_timeout(thread)  # type: ignore[no-untyped-call]

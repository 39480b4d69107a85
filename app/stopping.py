"""SIGTERM and SIGINT as an event that can be waited for."""

import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def stopping_at_signals() -> threading.Event:
    """Set at SIGTERM and SIGINT. For the main thread of a process, once."""
    stopping = threading.Event()
    handler = setter_of(stopping)
    for signum in SIGNALS:
        signal.signal(signum, handler)
    return stopping


def setter_of(event: threading.Event) -> Callable[..., None]:
    """A signal handler that has ``event`` set, by a thread of its own.

    A handler interrupts the main thread wherever that is, also within ``event.wait()``, which holds
    the lock that ``set()`` waits for: the process would hang for ever. Putting into a SimpleQueue
    may interrupt anything (docs.python.org/3/library/queue.html).
    """
    signalled: SimpleQueue[None] = SimpleQueue()

    def pass_on() -> None:
        signalled.get()
        event.set()

    threading.Thread(target=pass_on, name="stopping", daemon=True).start()
    return lambda *_: signalled.put(None)

"""A worker that freezes at a named moment, once, as a machine does whose lid is closed.

``python -m tests.support.freezing_worker before-send``; nothing of the worker is replaced. SIGCONT
wakes it.
"""

import functools
import signal
import sys
import threading
from typing import Any

from app import logs, settings
from app.messages import delivery
from app.messages.outbox import Outbox
from app.providers.spoki import Spoki
from app.work import worker

# From the first at which a message is this worker's to send to the last before it leaves.
STEPS: dict[str, tuple[Any, str]] = {
    "claim": (Outbox, "claim_within"),
    "send": (Spoki, "send"),
    "look": (delivery, "look"),
}
MOMENTS = ("before-claim", "after-claim", "before-send", "before-look")


def arm(moment: str) -> None:
    """Wrap the step so that the process freezes at ``moment``."""
    when, _, step = moment.partition("-")
    owner, name = STEPS[step]
    original = getattr(owner, name)
    has_frozen = False

    def freeze() -> None:
        nonlocal has_frozen
        if not has_frozen:
            has_frozen = True
            # To this thread: one sent to the process may be another's to take, and this one goes on
            # until that is scheduled.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    @functools.wraps(original)
    def freezing(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            freeze()
        result = original(*args, **kwargs)
        if when == "after" and result is not None:
            freeze()
        return result

    setattr(owner, name, freezing)


if __name__ == "__main__":
    logs.configure("worker", "INFO", None)
    arm(sys.argv[1])
    worker.run(settings.load())

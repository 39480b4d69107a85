"""A node of a machine whose other is gone, which kills itself at a named step.

Nothing of the node is replaced: what writes its journal is wrapped to end the process with SIGKILL
once a step began, or was done. It ends by itself when what was asked of it is answered. Spoken to
as `tests.support.dying_worker` is; a moment is ``began-restore-4`` or ``done-takeover-3``.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from app import logs, settings, steady
from app.ha import asked
from app.ha.journal import Run
from app.ha.node import make_machine, turn
from app.settings import Settings

LONGEST = 40.0


def arm(moment: str) -> None:
    """Wrap the journal so that the process dies at ``moment``."""
    original: Callable[..., Any] = Run._write

    def fatal(run: Run, number: int, name: str, state: Any, *rest: Any) -> None:
        original(run, number, name, state, *rest)
        if moment == f"{state}-{run._procedure}-{number}":
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(Run, "_write", fatal)  # noqa: B010 - ours, for this process alone


def run(found: Settings) -> None:
    """Until what is asked is answered, or it is clear that it won't be."""
    machine = make_machine(found)
    machine.lease.start()
    until = steady.now() + LONGEST
    while asked.pending(machine.directory) is not None and steady.now() < until:
        turn(machine)
        time.sleep(0.02)
    machine.lease.stop()
    if machine.parts is not None:
        machine.parts.stop()
    machine.replicating.stop(timedelta(seconds=3))


def _serve() -> None:
    logs.configure("node", "INFO", None)
    found = settings.load()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            if line.strip() != "never":
                arm(line.strip())
            run(found)
            os._exit(0)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()

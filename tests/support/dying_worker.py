"""Workers that kill themselves at a named step.

The steps of a reply are our own functions; each is wrapped to end the process with SIGKILL before
it begins or after it returned. Nothing of the worker is replaced.

Run as a program, it loads everything once and forks a worker for each line that it reads: a moment
(``before-send``), or ``never``. It answers with a line when the worker has started and one with
its exit status when it has ended.
"""

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dramatiq.brokers.redis import _RedisConsumer

from app import logs, settings
from app.commands.store import Commands
from app.conversation import brain, replying
from app.messages.inbox import Inbox
from app.messages.outbox import Outbox
from app.providers.spoki import Spoki
from app.work import actors, commanding, handling, reports, worker

STEPS: dict[str, tuple[Any, str]] = {
    "read": (Inbox, "open_row"),
    "receive": (handling, "receive"),
    "compose": (handling, "compose"),
    "close": (Inbox, "close"),
    "effects": (handling, "carry_out"),
    "write": (Outbox, "add"),
    "answered": (handling, "answer_message"),
    "claim": (Outbox, "claim_within"),
    "hand-over": (actors, "hand_over"),
    "send": (Spoki, "send"),
    "mark-sent": (Outbox, "sent"),
    "next": (Outbox, "next_of_guest"),
    "ack": (_RedisConsumer, "ack"),
    "settle": (reports, "settle"),
    "report": (reports.Reports, "apply_waiting"),
}
# Those of a command, which no reply passes.
COMMAND_STEPS: dict[str, tuple[Any, str]] = {
    "command": (commanding, "run_command"),
    "finish": (Commands, "finish"),
}
MOMENTS = [f"{when}-{step}" for step in STEPS for when in ("before", "after")]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(moment: str) -> None:
    """Wrap the step so that the process dies at ``moment``."""
    when, _, step = moment.partition("-")
    owner, name = (STEPS | COMMAND_STEPS)[step]
    original: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(original)
    def fatal(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            _die()
        result = original(*args, **kwargs)
        _die()
        return result

    setattr(owner, name, fatal)
    # The actors hold the handling functions by name of their own module.
    for module in ("app.work.actors", "app.work.handling"):
        if getattr(sys.modules[module], name, None) is original:
            setattr(sys.modules[module], name, fatal)


def _serve() -> None:
    logs.configure("worker", "INFO", None)
    found = settings.load()
    replying.warm_up()
    brain.warm_up()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            if line.strip() != "never":
                arm(line.strip())
            worker.run(found)
            os._exit(0)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


class Nursery:
    """The test's side: one worker at a time. ``program`` may be another that speaks as this one."""

    def __init__(
        self, env: Mapping[str, str], log: Path, program: str = "tests.support.dying_worker"
    ) -> None:
        with log.open("ab") as errors:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", program],
                env={**os.environ, **env},
                cwd=Path(__file__).parents[2],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def start(self, moment: str) -> int:
        """Start a worker that dies at ``moment``; its pid."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(f"{moment}\n")
        self._popen.stdin.flush()
        return int(self._line())

    def wait(self) -> int:
        """Wait for the worker's end; its exit status (-9: killed)."""
        return int(self._line())

    def close(self) -> None:
        """End the program."""
        self._popen.communicate()

    def _line(self) -> str:
        assert self._popen.stdout is not None
        return self._popen.stdout.readline()


if __name__ == "__main__":
    _serve()

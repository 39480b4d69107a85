"""A mailbox's listener in a process of its own, which kills itself at a named step.

The steps are our own functions, wrapped to end the process with SIGKILL before they begin or after
they returned; nothing else is replaced. Run as a program it listens as its environment says, until
it dies or is told to stop (SIGTERM).
"""

import functools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.runtime.events import Event, take
from cloud_jobs.runtime.job import Jobs
from cloud_jobs.settings import CloudSettings, load
from cloud_jobs.sources.imap import Listener
from cloud_jobs.sources.mail_intake import Intake, Take
from cloud_jobs.sources.mailbox import Folder
from cloud_jobs.store.database import Store

STEPS: dict[str, tuple[Any, str]] = {
    "look": (Intake, "look"),
    "fetch": (Folder, "fetch"),
    "keep": (Intake, "_keep"),
    "take": (sys.modules[__name__], "take"),  # in the transaction that keeps the mail
    "mark": (Folder, "mark"),
}
MOMENTS = [f"{when}-{step}" for step in STEPS for when in ("before", "after")]
MOMENT, PASSES = "DIES_AT", "DIES_AT_PASS"


def arm(moment: str, passes: int) -> None:
    """Wrap the step so that the process dies when it comes to ``moment`` for the n-th time."""
    when, _, step = moment.partition("-")
    owner, name = STEPS[step]
    original: Callable[..., Any] = getattr(owner, name)
    left = passes

    @functools.wraps(original)
    def fatal(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, fatal)


def taker(settings: CloudSettings, seal: Seal, jobs: Jobs) -> Take:
    """Takes events, and starts those of ``jobs`` that wait for them."""

    def taken(session: Session, event: Event) -> object:
        now = datetime.now(UTC)
        return take(session, event, seal=seal, jobs=jobs, zone=settings.zone, now=now)

    return taken


def start(env: Mapping[str, str], moment: str, passes: int) -> "subprocess.Popen[bytes]":
    """A listener that dies at ``moment``, the n-th time that it passes there."""
    dies = {MOMENT: moment, PASSES: str(passes)}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.dying_listener"],
        env={**os.environ, **env, **dies},
        cwd=Path(__file__).parents[2],
    )


def _main() -> None:
    arm(os.environ[MOMENT], int(os.environ[PASSES]))
    settings = load()
    seal = Seal(settings.seal_key_bytes, b"")
    store = Store(settings.store_url.get_secret_value())
    listener = Listener(settings, store, seal, taker(settings, seal, Jobs()))
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    listener.start()
    done.wait()
    listener.stop()


if __name__ == "__main__":
    _main()

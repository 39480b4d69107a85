"""API, scheduler and one worker as children of one process, for a server of 2 GB.

They are forked once all is loaded, so what they have loaded is in memory once and not three times.
Each is the process that it would be by itself; when one ends, all end, and whoever runs them starts
them anew.
"""

import multiprocessing
import signal
import sys
from collections.abc import Callable
from multiprocessing import connection
from typing import Final

import structlog

from app import logs
from app.heap import settle_heap
from cloud_jobs.processes import api, scheduler, worker
from cloud_jobs.runtime.job import Jobs
from cloud_jobs.settings import CloudSettings

log = structlog.get_logger()
# As each of them takes for an orderly end, and a little more.
_END_SECONDS: Final = 12


def run(settings: CloudSettings, jobs: Jobs) -> None:
    """Run all three until SIGTERM or SIGINT, or until one of them ends."""
    programs: dict[str, Callable[[], None]] = {
        "scheduler": lambda: scheduler.run(settings, jobs),
        "api": lambda: api.run(settings),
        "worker": lambda: worker.run(settings, jobs),
    }
    # What is there now is left alone by the collector, or looking at it would copy it.
    settle_heap()
    forking = multiprocessing.get_context("fork")
    children = [
        forking.Process(target=_be, args=(name, program, settings), name=name)
        for name, program in programs.items()
    ]
    for child in children:
        child.start()

    def end(*_: object) -> None:
        for child in children:
            child.terminate()

    # Not before: a child would end its siblings.
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, end)
    connection.wait([child.sentinel for child in children])
    end()
    for child in children:
        child.join(_END_SECONDS)
    codes = {child.name: child.exitcode for child in children}
    log.info("cloud_ended", **codes)
    # uvicorn ends by the signal that it was sent.
    if not set(codes.values()) <= {0, -signal.SIGTERM}:
        sys.exit(1)


def _be(name: str, program: Callable[[], None], settings: CloudSettings) -> None:
    logs.configure(f"cloud-{name}", settings.log_level, settings.log_dir)
    program()

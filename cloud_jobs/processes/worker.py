"""The worker process: Dramatiq's worker over the queue of runs, and an orderly end."""

from contextlib import ExitStack
from datetime import timedelta
from typing import Final

import structlog
from dramatiq import Worker

from app.heap import settle_heap
from app.stopping import stopping_at_signals
from cloud_jobs.processes.parts import assemble, say_alive
from cloud_jobs.runtime.actors import register
from cloud_jobs.runtime.executing import Runner
from cloud_jobs.runtime.job import Jobs
from cloud_jobs.runtime.time_limits import TimeLimits
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.database import Store
from cloud_jobs.store.schema import wait_until_current

log = structlog.get_logger()
# A run that is asked to end does so at its next step. One that doesn't is taken up by another
# worker once its lease is over; Docker kills after 10 s.
_END: Final = timedelta(seconds=8)
# Who looks takes a minute without for dead.
_ALIVE: Final = timedelta(seconds=10)


def run(settings: CloudSettings, jobs: Jobs) -> None:
    """Work until SIGTERM or SIGINT."""
    store = Store(settings.store_url.get_secret_value())
    wait_until_current(store)
    stopping = stopping_at_signals()
    limits = TimeLimits()
    parts = assemble(settings, store, jobs, [limits])
    runner = Runner(settings, store, parts.seal, jobs, dispatch=parts.dispatcher, limit=limits)
    register(parts.broker, runner)
    # 20 ms is only how often a busy worker looks for room; an idle one is woken by Redis.
    worker = Worker(parts.broker, worker_threads=settings.worker_threads, worker_timeout=20)

    settle_heap()
    with ExitStack() as running:  # ended in reverse
        running.callback(store.close)
        parts.dispatcher.start()
        running.callback(parts.dispatcher.stop)
        runner.hands.start()
        running.callback(runner.hands.stop)
        worker.start()
        running.callback(worker.stop, timeout=_END // timedelta(milliseconds=1))
        running.callback(runner.stop)
        log.info("worker_ready", threads=settings.worker_threads, jobs=len(jobs.by_name))
        say_alive(settings, "worker")
        while not stopping.wait(_ALIVE.total_seconds()):
            say_alive(settings, "worker")
        log.info("worker_stopping")
    log.info("worker_stopped")

"""The scheduler process: the clock, the relay, the alerts and the mailbox. It works on no run.

A plain loop, not APScheduler's scheduler: what is due is a function of the store and the time
(`cloud_jobs.runtime.clock`), so there is nothing that a scheduler of its own would have to keep,
and a turn that fails is followed by the next. Two of these processes do no harm.
"""

from contextlib import ExitStack
from datetime import UTC, datetime

import redis
import structlog
from sqlalchemy import event as sessions
from sqlalchemy.orm import Session

from app.heap import settle_heap
from app.stopping import stopping_at_signals
from cloud_jobs.alerts.delivering import Alerting
from cloud_jobs.processes.parts import Parts, assemble, say_alive
from cloud_jobs.runtime.clock import next_due, tick
from cloud_jobs.runtime.events import Event, take
from cloud_jobs.runtime.job import Jobs
from cloud_jobs.runtime.relay import sweep
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.database import Store, StoreUnavailable
from cloud_jobs.store.schema import migrate

log = structlog.get_logger()


def run(settings: CloudSettings, jobs: Jobs) -> None:
    """Keep the clock until SIGTERM or SIGINT; brings the store up to date first."""
    stopping = stopping_at_signals()
    store = Store(settings.store_url.get_secret_value())
    migrate(store)
    parts = assemble(settings, store, jobs)
    with ExitStack() as running:  # ended in reverse
        running.callback(store.close)
        parts.dispatcher.start()
        running.callback(parts.dispatcher.stop)
        alerting = Alerting(settings, store, parts.seal)
        alerting.start()
        running.callback(alerting.stop)
        if settings.imap_host:
            _listen(parts, running)
        settle_heap()
        log.info("scheduler_ready", jobs=len(jobs.by_name), mailbox=bool(settings.imap_host))
        turn(parts)
        while not stopping.wait(settings.relay_interval.total_seconds()):
            turn(parts)
        log.info("scheduler_stopping")
    log.info("scheduler_stopped")


def turn(parts: Parts) -> None:
    """One look at the clock, and one at what was left behind; what fails is left to the next."""
    now = datetime.now(UTC)
    settings, store = parts.settings, parts.store
    try:
        if started := _tick(parts, now):
            parts.dispatcher(started)
            log.info("clock_ticked", runs=len(started))
        if queued := sweep(store, parts.broker, settings.run_lease, now):
            log.info("relay_queued", runs=queued)
    except StoreUnavailable as error:
        log.error("store_unavailable", reason=type(error).__name__)
    except redis.RedisError as error:
        log.warning("redis_unreachable", reason=type(error).__name__)
    say_alive(settings, "scheduler")


def _tick(parts: Parts, now: datetime) -> list[str]:
    settings, store = parts.settings, parts.store
    # To look is free; to write would have the other processes wait, every second.
    with store.reading() as session:
        due = next_due(session, parts.jobs, settings.zone)
    if due is None or due > now:
        return []
    with store.writing() as session:
        return tick(session, parts.jobs, settings, parts.seal, now)


def _listen(parts: Parts, running: ExitStack) -> None:
    from cloud_jobs.sources.imap import Listener  # noqa: PLC0415 - only who has a mailbox

    def take_in(session: Session, event: Event) -> None:
        taken = take(
            session,
            event,
            seal=parts.seal,
            jobs=parts.jobs,
            zone=parts.settings.zone,
            now=datetime.now(UTC),
        )

        def dispatch(_: Session) -> None:
            parts.dispatcher(taken.run_ids)

        sessions.listen(session, "after_commit", dispatch, once=True)

    listener = Listener(parts.settings, parts.store, parts.seal, take_in)
    listener.start()
    running.callback(listener.stop)

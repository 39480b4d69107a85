"""The worker process: consumers, the relay, and an orderly end; all that while this machine leads.

What takes long, loading and warming up, is done once and before that, so that a machine that begins
to lead answers at once.
"""

import threading
from contextlib import ExitStack
from functools import partial
from typing import Protocol

import structlog
from dramatiq import Worker

from app.conversation import brain, replying
from app.events.hearing import tell_message
from app.heap import settle_heap
from app.leading import Leadership, Role, leadership_of, wait_to_lead, wait_to_stop
from app.messages.unfinished import Patience
from app.settings import InDoubt, Settings
from app.stopping import stopping_at_signals
from app.store.checkpoints import Checkpoints
from app.store.users import using
from app.work.actors import FailuresStayOpen, register
from app.work.alerting import Alerting
from app.work.broker import DeskBroker, make_broker
from app.work.desk import Desk, make_desk
from app.work.programs import Program, Serving
from app.work.relay import Dispatcher, Relay
from app.work.reports import Reports
from app.work.rounds import Rounds

log = structlog.get_logger()
# How often to look whether the time of doubt is over.
_LOOK = 0.1


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, whenever this machine leads."""
    stopping = stopping_at_signals()
    replying.warm_up()
    brain.warm_up()
    leadership = leadership_of(settings)
    if leadership.standing().role is not Role.LEADER:
        settle_heap()
        log.info("worker_waits_to_lead")
    serving = Serving(settings.ha_directory, Program.WORKER)
    if settings.ha_authority:
        serving.begin()
    while wait_to_lead(leadership, stopping):
        # The database stays where it is while it is in use, so look again once it is.
        with using(settings.database):
            if leadership.standing().role is Role.LEADER:
                _work(settings, leadership, stopping)
    serving.end()
    log.info("worker_stopped")


def _work(settings: Settings, leadership: Leadership, stopping: threading.Event) -> None:
    """Work until this machine leads no longer, or ``stopping``; then nothing is in hand."""
    with ExitStack() as running:  # ended in reverse
        desk = make_desk(settings)
        running.callback(desk.close)
        _start(settings, desk, running)
        log.info("worker_ready", threads=settings.worker_threads)
        if _doubt_is_over(leadership, stopping):
            _begin(running, Alerting(settings, desk), Rounds(settings, desk))
        wait_to_stop(leadership, stopping)
        log.info("worker_stopping")


def _start(settings: Settings, desk: Desk, running: ExitStack) -> None:
    """Start all that needn't wait until the time of doubt is over."""
    failures = FailuresStayOpen()
    failures.desk = desk
    broker = make_broker(settings.redis_url.get_secret_value(), [failures])
    running.callback(broker.client.close)
    dispatcher = Dispatcher(broker)
    register(broker, desk, dispatcher)
    relay = _relay(settings, desk, broker)
    # 20 ms is only how often a busy worker looks for room; an idle one is woken by Redis.
    worker = Worker(broker, worker_threads=settings.worker_threads, worker_timeout=20)

    settle_heap()
    checkpoints = Checkpoints(desk.database, replicated=settings.is_replicated)
    _begin(running, checkpoints, dispatcher)
    worker.start()
    # Longer than a send may take: a message in hand is finished, not left in doubt.
    patience = int(settings.send_timeout.total_seconds() * 1500)
    running.callback(partial(worker.stop, timeout=patience))
    _begin(running, relay, Reports(desk, dispatcher))


class _Part(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


def _begin(running: ExitStack, *parts: _Part) -> None:
    for part in parts:
        part.start()
        running.callback(part.stop)


def _relay(settings: Settings, desk: Desk, broker: DeskBroker) -> Relay:
    return Relay(
        desk.database,
        broker,
        Patience(
            grace=settings.relay_grace,
            echo_wait=settings.send_echo_wait,
            resend=settings.send_in_doubt is InDoubt.RESEND,
        ),
        guard=desk.delivering.guard,
        leadership=desk.leadership,
        interval=settings.relay_interval,
        on_moved=partial(tell_message, desk.events),
    )


def _doubt_is_over(leadership: Leadership, stopping: threading.Event) -> bool:
    """Wait until it is; False if this machine leads no longer, or ``stopping``, before that."""
    while leadership.standing().role is Role.LEADER and not stopping.is_set():
        if not leadership.in_doubt():
            return True
        stopping.wait(_LOOK)
    return False

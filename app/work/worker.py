"""The worker process: consumers, the relay, and an orderly end."""

import signal
import threading
from functools import partial

import structlog
from dramatiq import Worker

from app.conversation import brain, replying
from app.events.hearing import tell_message
from app.heap import settle_heap
from app.messages.unfinished import Patience
from app.settings import InDoubt, Settings
from app.store.checkpoints import Checkpoints
from app.work.actors import FailuresStayOpen, register
from app.work.alerting import Alerting
from app.work.broker import make_broker
from app.work.desk import make_desk
from app.work.relay import Dispatcher, Relay
from app.work.reports import Reports
from app.work.rounds import Rounds

log = structlog.get_logger()


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    stopping = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stopping.set())

    desk = make_desk(settings)
    replying.warm_up()
    brain.warm_up()
    failures = FailuresStayOpen()
    failures.desk = desk
    broker = make_broker(settings.redis_url.get_secret_value(), [failures])
    dispatcher = Dispatcher(broker)
    register(broker, desk, dispatcher)
    relay = Relay(
        desk.database,
        broker,
        Patience(
            grace=settings.relay_grace,
            echo_wait=settings.send_echo_wait,
            resend=settings.send_in_doubt is InDoubt.RESEND,
        ),
        guard=desk.delivering.guard,
        interval=settings.relay_interval,
        on_moved=partial(tell_message, desk.events),
    )
    reports = Reports(desk, dispatcher)
    alerting = Alerting(settings, desk)
    rounds = Rounds(settings, desk)
    # 20 ms is only how often a busy worker looks for room; an idle one is woken by Redis.
    worker = Worker(broker, worker_threads=settings.worker_threads, worker_timeout=20)

    checkpoints = Checkpoints(desk.database)

    settle_heap()
    dispatcher.start()
    worker.start()
    checkpoints.start()
    relay.start()
    reports.start()
    alerting.start()
    rounds.start()
    log.info("worker_ready", threads=settings.worker_threads)
    stopping.wait()

    log.info("worker_stopping")
    rounds.stop()
    alerting.stop()
    reports.stop()
    relay.stop()
    # Longer than a send may take: a message in hand is finished, not left in doubt.
    worker.stop(timeout=int(settings.send_timeout.total_seconds() * 1500))
    dispatcher.stop()
    checkpoints.stop()
    log.info("worker_stopped")

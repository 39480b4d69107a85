"""The worker process: consumers, the relay, and an orderly end."""

import signal
import threading

import structlog
from dramatiq import Worker

from app.conversation import concierge
from app.conversation import property as facts
from app.heap import settle_heap
from app.messages.delivery import Delivering
from app.messages.inbox import Inbox
from app.messages.outbox import Outbox
from app.messages.unfinished import Patience
from app.providers.spoki import Spoki
from app.settings import InDoubt, Settings
from app.store.checkpoints import Checkpoints
from app.store.database import open_database
from app.store.seal import Seal
from app.work.actors import FailuresStayOpen, register
from app.work.broker import make_broker
from app.work.handling import Desk
from app.work.relay import Dispatcher, Relay
from app.work.reports import Reports

log = structlog.get_logger()


def make_desk(settings: Settings) -> Desk:
    """Everything the work needs, from the settings."""
    database = open_database(settings.database)
    seal = Seal(settings.seal_key_bytes, settings.index_key_bytes)
    # Half as long again as an answer may take: then nobody is waiting for that answer any more.
    outbox = Outbox(database, seal, settings.relay_grace, settings.send_timeout * 1.5)
    spoki = Spoki(
        str(settings.spoki_base_url),
        settings.spoki_api_key.get_secret_value(),
        settings.send_timeout,
        settings.worker_threads,
    )
    return Desk(
        database=database,
        inbox=Inbox(database, seal, settings.relay_grace),
        outbox=outbox,
        delivering=Delivering(outbox, spoki, settings.send_echo_wait),
        facts=facts.load(settings.property_file),
    )


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    stopping = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stopping.set())

    desk = make_desk(settings)
    concierge.warm_up()
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
        settings.relay_interval,
    )
    reports = Reports(desk.database, desk.inbox, desk.outbox, dispatcher)
    # 20 ms is only how often a busy worker looks for room; an idle one is woken by Redis.
    worker = Worker(broker, worker_threads=settings.worker_threads, worker_timeout=20)

    checkpoints = Checkpoints(desk.database)

    settle_heap()
    dispatcher.start()
    worker.start()
    checkpoints.start()
    relay.start()
    reports.start()
    log.info("worker_ready", threads=settings.worker_threads)
    stopping.wait()

    log.info("worker_stopping")
    reports.stop()
    relay.stop()
    # Longer than a send may take: a message in hand is finished, not left in doubt.
    worker.stop(timeout=int(settings.send_timeout.total_seconds() * 1500))
    dispatcher.stop()
    checkpoints.stop()
    log.info("worker_stopped")

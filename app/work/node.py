"""The node process: what this machine does by itself, whatever guests write.

It fetches commands from the cloud and tells the cloud what happened, if there is one, and watches
the other machines.
"""

import signal
import threading
from contextlib import ExitStack

import httpx
import structlog

from app.heap import settle_heap
from app.providers.guarded import GuardedTransport
from app.settings import Role, Settings
from app.signing import SignedAuth
from app.store.checkpoints import Checkpoints
from app.work.breaking import CLOUD, make_breaker
from app.work.broker import make_broker
from app.work.desk import Desk, make_desk
from app.work.pulling import Pulling
from app.work.relay import Dispatcher
from app.work.telling import Telling
from app.work.watching import Watching

log = structlog.get_logger()


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    stopping = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stopping.set())

    desk = make_desk(settings)
    settle_heap()
    with ExitStack() as running:  # ended in reverse
        checkpoints = Checkpoints(desk.database)
        checkpoints.start()
        running.callback(checkpoints.stop)
        watching = Watching(
            settings.peer_addresses, desk.database, desk.alerts, desk.facts.default_language
        )
        watching.start()
        running.callback(watching.stop)
        if settings.cloud_url is not None and settings.role is Role.LEADER:
            _talk_with_cloud(settings, desk, running)
        log.info("node_ready", cloud=settings.cloud_url is not None)
        stopping.wait()
        log.info("node_stopping")
    log.info("node_stopped")


def _talk_with_cloud(settings: Settings, desk: Desk, running: ExitStack) -> None:
    language = desk.facts.default_language
    breaker = make_breaker(settings, CLOUD, desk.database, desk.alerts, language)
    told = _client(settings, GuardedTransport(httpx.HTTPTransport(), breaker, CLOUD))
    # Not guarded: it asks one thing at a time and rests by itself, and a breaker's rest would make
    # a command wait longer than it may. That it is answered is what wakes the telling.
    pulled = _client(settings, httpx.HTTPTransport())
    for client in (told, pulled):
        running.callback(client.close)
    dispatcher = Dispatcher(make_broker(settings.redis_url.get_secret_value(), []))
    telling = Telling(desk, told, settings.events_park_after)
    pulling = Pulling(desk, dispatcher, pulled, on_heard=telling.wake)
    for part in (dispatcher, telling, pulling):
        part.start()
        running.callback(part.stop)


def _client(settings: Settings, transport: httpx.BaseTransport) -> httpx.Client:
    return httpx.Client(
        base_url=str(settings.cloud_url),
        auth=SignedAuth(settings.node_name, settings.cloud_key_bytes),
        transport=transport,
        timeout=httpx.Timeout(30, connect=2),
    )

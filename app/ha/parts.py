"""What a leader's node does besides: it beats, watches, and talks with the cloud."""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import httpx
import structlog

from app.leading import Leadership
from app.messages import leading
from app.messages.leading import Beat
from app.providers.guarded import GuardedTransport
from app.settings import Settings
from app.signing import SignedAuth
from app.store.checkpoints import Checkpoints
from app.store.database import DatabaseError
from app.work.breaking import CLOUD, make_breaker
from app.work.broker import make_broker
from app.work.desk import Desk, make_desk
from app.work.jobs import Job
from app.work.pulling import Pulling
from app.work.relay import Dispatcher
from app.work.telling import Telling
from app.work.watching import Watching

log = structlog.get_logger()
# The beats of a minute: a standby that is further behind is not waited for, it is told of.
BEATS: Final = 60


class Parts:
    """The parts; :meth:`tend` is to be called each second. ``copied`` is the newest beat that the
    standby has, None while it isn't up: only what it has is told to the cloud."""

    def __init__(
        self, settings: Settings, leadership: Leadership, copied: Callable[[], int | None]
    ) -> None:
        self._settings = settings
        self._leadership = leadership
        self._copied = copied
        self._running = ExitStack()
        self._beats: deque[Beat] = deque(maxlen=BEATS)
        self._talks = False
        self._lock = threading.Lock()
        self.desk: Desk = make_desk(settings)
        self.dispatcher = Dispatcher(make_broker(settings.redis_url.get_secret_value(), []))

    def start(self) -> None:
        """Start what doesn't depend on what the last leader may have done."""
        desk = self.desk
        self._running.callback(desk.database.close_all)
        checkpoints = Checkpoints(desk.database, replicated=self._settings.is_replicated)
        watching = Watching(
            self._settings.peer_addresses, desk.database, desk.alerts, desk.facts.default_language
        )
        for part in (checkpoints, self.dispatcher, watching):
            part.start()
            self._running.callback(part.stop)

    def stop(self) -> None:
        """End all of them, in reverse."""
        self._running.close()

    def put(self, jobs: list[tuple[Job, int]]) -> None:
        """Queue jobs."""
        for job, row_id in jobs:
            self.dispatcher.put(job, row_id)

    def tend(self) -> None:
        """A beat; and once what the last leader may have done is known, talk with the cloud."""
        self.beat()
        if not self._leadership.in_doubt():
            self.talk_now()

    def talk_now(self) -> None:
        """Fetch the cloud's commands and tell it what happened, from now on; if there is one."""
        if self._talks or self._settings.cloud_url is None:
            return
        self._talks = True
        self._talk()

    def beat(self) -> None:
        """Count up in the database. Raises nothing: a beat that fails is a lag."""
        try:
            with self.desk.database.transaction(durable=False) as connection:
                leading.beat(connection)
                beat = leading.last_beat(connection)
        except DatabaseError as error:
            log.error("beat_failed", reason=str(error))
            return
        if beat is None:
            return
        with self._lock:
            self._beats.append(beat)

    @property
    def newest_beat(self) -> int | None:
        """The number of the last one."""
        return self._beats[-1].beat if self._beats else None

    def may_tell(self) -> int | None:
        """The newest event that the cloud may be told of; None: any.

        The cloud offers a command no more once it hears that it is done: it must not hear so before
        the other machine would know it as well.
        """
        copied = self._copied()
        if copied is None:
            return None
        with self._lock:
            told = [beat.last_event for beat in self._beats if beat.beat <= copied]
        return told[-1] if told else 0

    def _talk(self) -> None:
        settings, desk = self._settings, self.desk
        language = desk.facts.default_language
        breaker = make_breaker(settings, CLOUD, desk.database, desk.alerts, language)
        told = _client(settings, GuardedTransport(httpx.HTTPTransport(), breaker, CLOUD))
        # Not guarded: it asks one thing at a time and rests by itself, and a breaker's rest would
        # make a command wait longer than it may. That it is answered is what wakes the telling.
        pulled = _client(settings, httpx.HTTPTransport())
        for client in (told, pulled):
            self._running.callback(client.close)
        telling = Telling(desk, told, settings.events_park_after, may_tell=self.may_tell)
        pulling = Pulling(desk, self.dispatcher, pulled, on_heard=telling.wake)
        for part in (telling, pulling):
            part.start()
            self._running.callback(part.stop)


def _client(settings: Settings, transport: httpx.BaseTransport) -> httpx.Client:
    return httpx.Client(
        base_url=str(settings.cloud_url),
        auth=SignedAuth(settings.node_name, settings.cloud_key_bytes),
        transport=transport,
        timeout=httpx.Timeout(30, connect=2),
    )

"""Fetching commands from the cloud: what a cut tunnel keeps from being pushed comes this way.

A long poll: the cloud answers at once if it has something, else after :data:`WAIT`. It offers a
command until it has heard what became of it, so one that is known already is no news.
"""

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import httpx
import structlog
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from app.commands.asked import LARGEST_COMMAND, read
from app.commands.fields import Key
from app.commands.running import INVALID, Report, report
from app.commands.store import CameBy, Sender, Taken
from app.retry_after import retry_after
from app.store.database import DatabaseError
from app.work.asking_cloud import CloudError, patiently
from app.work.desk import Desk
from app.work.jobs import Job
from app.work.relay import Dispatcher

log = structlog.get_logger()
# How long the cloud is asked to wait for something to offer.
WAIT: Final = timedelta(seconds=25)
# Connecting, and what the cloud's answer may be late by. No command waits longer than 30 s for
# the next time it is asked: 25 s of a dead connection and these, or the longest rest.
CONNECT_TIMEOUT: Final = timedelta(seconds=2)
LATE: Final = timedelta(seconds=3)
FIRST_REST: Final = timedelta(seconds=0.5)
LONGEST_REST: Final = timedelta(seconds=25)
# Between two questions where the first brought nothing new: the cloud offers what is under way.
SHORTEST_REST: Final = timedelta(seconds=1)
# A pull waits for nothing that must be finished: its end is waited for no longer than this.
STOP_WAIT: Final = timedelta(seconds=2)
# Whose commands these are; the pushed ones come from the API's client of this name.
CLOUD: Final = "cloud"
CONFLICT: Final = "conflict"
_ANSWER_LIMIT: Final = 16 * LARGEST_COMMAND


class Offered(BaseModel):
    """One command as the cloud offers it. What else it says of it is not needed."""

    id: Key
    idempotency_key: str = Field(min_length=1, max_length=200)
    name: str
    payload: dict[str, Any]


class _Answer(BaseModel):
    commands: list[Any]


_OFFERED: Final = TypeAdapter(Offered)


class Pulling:
    """The thread that pulls. ``cloud`` signs and has the cloud's address; ``on_heard`` is called
    when the cloud has answered."""

    def __init__(
        self,
        desk: Desk,
        dispatcher: Dispatcher,
        cloud: httpx.Client,
        on_heard: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._dispatcher = dispatcher
        self._cloud = cloud
        self._on_heard = on_heard
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulling", daemon=True)
        self._retrying = patiently(
            "cloud_not_heard", self._stopping, self._rest, FIRST_REST, LONGEST_REST
        )

    def start(self) -> None:
        """Start the thread; the cloud is asked at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread. A poll under way is left: what it would bring is offered again."""
        self._stopping.set()
        self._thread.join(STOP_WAIT.total_seconds())

    def pull_once(self) -> int:
        """Ask the cloud, and keep what it offers; how many of them are new.

        Raises :class:`app.work.asking_cloud.CloudError`.
        """
        offers = self._ask()
        # Each time, not only when it had been away: the telling may be resting for longer.
        self._on_heard()
        new = [row_id for offer in offers if (row_id := self._take(offer)) is not None]
        for row_id in new:
            self._dispatcher.put(Job.RUN_COMMAND, row_id)
        if new:
            log.info("commands_pulled", commands=len(new))
        return len(new)

    def _ask(self) -> list[Any]:
        seconds = WAIT.total_seconds()
        timeout = httpx.Timeout(
            seconds + LATE.total_seconds(), connect=CONNECT_TIMEOUT.total_seconds()
        )
        try:
            answer = self._cloud.get(
                "/api/commands", params={"wait": int(seconds)}, timeout=timeout
            )
        except httpx.HTTPError as error:
            raise CloudError(type(error).__name__) from None
        if answer.status_code != 200:
            raise CloudError(f"HTTP {answer.status_code}", retry_after(answer.headers))
        if len(answer.content) > _ANSWER_LIMIT:
            raise CloudError("the cloud's answer is too large")
        try:
            return _Answer.model_validate_json(answer.content).commands
        except ValidationError:
            raise CloudError("the cloud's answer can't be read") from None

    def _take(self, offer: Any) -> int | None:
        """Keep one command; its row if it is new."""
        try:
            offered = _OFFERED.validate_python(offer)
        except ValidationError:
            log.error("offer_unreadable")  # without an id there is nothing to report about
            return None
        try:
            asked = read(_body(offered))
        except ValidationError as error:
            self._refuse(offered, INVALID, f"it can't be understood ({error.error_count()} errors)")
            return None
        sender = Sender(CLOUD, offered.idempotency_key, CameBy.PULL)
        keep = self._desk.commands.accept(offered.id, asked, sender)
        with self._desk.database.transaction() as connection:
            taken: Taken = keep(connection)
        if not taken.is_same:
            self._refuse(offered, CONFLICT, "this key or id came with another content before")
        return taken.row_id if taken.is_new else None

    def _refuse(self, offered: Offered, code: str, detail: str) -> None:
        """Tell the cloud, once, or it would offer it for ever."""
        log.error("offer_refused", command_id=offered.id, code=code)
        error = {"code": code, "detail": detail}
        said = Report(offered.id, "failed", error, event_id=f"command.{code}:{offered.id}")
        with self._desk.database.transaction() as connection:
            report(self._desk.events, connection, said)

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                new = self._retrying(self.pull_once)
            except (CloudError, DatabaseError):
                return  # told to stop while waiting
            rested = timedelta(seconds=time.monotonic() - began)
            if new == 0 and rested < SHORTEST_REST:
                self._rest(SHORTEST_REST.total_seconds())

    def _rest(self, seconds: float) -> None:
        self._stopping.wait(seconds)


def _body(offered: Offered) -> str:
    """As it would have been pushed: read by the same models."""
    return json.dumps({"id": offered.id, "name": offered.name, "payload": offered.payload})

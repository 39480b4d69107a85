"""Telling the cloud what happened: in order, batch by batch, until it has everything."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from app.conversation import alerting
from app.conversation.alerting import Alert
from app.events.waiting import WaitingEvent, WaitingEvents
from app.messages.pausing import Queue, is_paused
from app.retry_after import retry_after
from app.store.database import Connection, DatabaseError
from app.work.asking_cloud import CloudError, patiently
from app.work.desk import Desk

log = structlog.get_logger()
# What one request holds: little enough to be answered within its timeout on a slow line.
MOST: Final = 100
MOST_BYTES: Final = 256 * 1024
# How often an idle desk looks for something new: the cloud's jobs run by the minute.
INTERVAL: Final = timedelta(seconds=1)
FIRST_WAIT: Final = timedelta(seconds=1)
# The highest of the ever higher bounds that it waits for at random, whatever happens.
LONGEST_WAIT: Final = timedelta(minutes=5)
TIMEOUT: Final = timedelta(seconds=30)
# Long enough to look into what the cloud says it never got; longer, it is only data at rest.
KEPT: Final = timedelta(days=7)
# Of the cloud's reason for a rejection.
SHOWN: Final = 200
PURGE_EVERY: Final = timedelta(hours=1)
# A batch of which a part is at fault, as the cloud says: it is halved until that part is alone.
_FAULTY: Final = frozenset({413, 422})


class FaultyBatchError(Exception):
    """The cloud says that something in a batch is at fault."""


class Rejected(BaseModel):
    """An event that the cloud will never take."""

    event_id: str
    reason: str


class Answer(BaseModel):
    """What the cloud says to a batch: each event is in one of the two lists."""

    accepted: list[str]
    rejected: list[Rejected]


def _now() -> datetime:
    return datetime.now(UTC)


def _all() -> None:
    """There is no event that may not be told yet."""


class Telling:
    """The thread that tells the cloud what waits.

    ``cloud`` signs what it asks and has the cloud's address; ``park_after`` is how old an event may
    become; ``clock`` gives aware times; ``may_tell`` the id of the newest event that may be told,
    None for any.
    """

    def __init__(
        self,
        desk: Desk,
        cloud: httpx.Client,
        park_after: timedelta,
        clock: Callable[[], datetime] = _now,
        may_tell: Callable[[], int | None] = _all,
    ) -> None:
        self._desk = desk
        self._cloud = cloud
        self._park_after = park_after
        self._clock = clock
        self._may_tell = may_tell
        self._waiting = WaitingEvents(desk.database, desk.seal)
        self._purge_at = clock()
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telling", daemon=True)
        self._retrying = patiently(
            "events_untold", self._stopping, self._rest, FIRST_WAIT, LONGEST_WAIT
        )

    def start(self) -> None:
        """Start the thread; what waits is told at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a request under way is finished first."""
        self._stopping.set()
        self._woken.set()
        self._thread.join()

    def wake(self) -> None:
        """The cloud was heard of: don't wait any longer to tell it."""
        self._woken.set()

    def tell_batch(self) -> int:
        """Tell the cloud the next events; how many are off the list. Raises :class:`CloudError`.

        A crash at any line leaves them waiting: they are told again, and the cloud knows them by
        their ids.
        """
        if is_paused(self._desk.database.connection, Queue.EVENTS):
            return 0
        events = self._waiting.first(MOST, MOST_BYTES, self._may_tell())
        return self._tell(events) if events else 0

    def purge(self) -> None:
        """Delete what was delivered long ago; looked for every :data:`PURGE_EVERY`."""
        now = self._clock()
        if now < self._purge_at:
            return
        self._purge_at = now + PURGE_EVERY
        while not self._stopping.is_set() and self._waiting.purge(now - KEPT):
            pass

    def _tell(self, events: Sequence[WaitingEvent]) -> int:
        try:
            answer = self._ask(events)
        except FaultyBatchError as error:
            if len(events) > 1:
                return self._tell(events[: len(events) // 2])
            rejected = Rejected(event_id=events[0].event_id, reason=str(error))
            answer = Answer(accepted=[], rejected=[rejected])
        except CloudError as error:
            self._note(events, str(error))
            raise
        self._settle(events, answer)
        return len(events)

    def _ask(self, events: Sequence[WaitingEvent]) -> Answer:
        body = b'{"events":[' + b",".join(event.encoded for event in events) + b"]}"
        try:
            response = self._cloud.post(
                "/api/events", content=body, headers={"Content-Type": "application/json"}
            )
        except httpx.HTTPError as error:
            raise CloudError(type(error).__name__) from None
        if response.status_code in _FAULTY:
            raise FaultyBatchError(f"HTTP {response.status_code}")
        if response.status_code != 200:
            raise CloudError(f"HTTP {response.status_code}", retry_after(response.headers))
        return _read(response.content, events)

    def _settle(self, events: Sequence[WaitingEvent], answer: Answer) -> None:
        rows = {event.event_id: event.row_id for event in events}
        # Not durable: what a power cut takes back is told again.
        with self._desk.database.transaction(durable=False) as connection:
            told = [rows[event_id] for event_id in answer.accepted]
            self._waiting.delivered(connection, told, self._clock())
            for one in answer.rejected:
                self._waiting.park(
                    connection, rows[one.event_id], f"rejected: {one.reason[:SHOWN]}"
                )
            if answer.rejected:
                self._alert(connection)
        log.info("events_told", events=len(answer.accepted), rejected=len(answer.rejected))

    def _note(self, events: Sequence[WaitingEvent], reason: str) -> None:
        """Only after trying: what was waiting while nobody tried isn't too old for that."""
        with self._desk.database.transaction(durable=False) as connection:
            self._waiting.not_told(connection, [event.row_id for event in events], reason)
        while parked := self._park_some():
            log.error("events_parked", events=parked, remedy="portiere dead-letters list")

    def _park_some(self) -> int:
        with self._desk.database.transaction(durable=False) as connection:
            parked = self._waiting.park_older(connection, self._clock() - self._park_after)
            if parked:
                self._alert(connection)
        return parked

    def _alert(self, connection: Connection) -> None:
        """Once a day, by the property's clock."""
        facts = self._desk.facts
        today = self._clock().astimezone(facts.time_zone).date()
        self._desk.alerts.raise_alert(
            connection,
            key=f"{Alert.EVENTS_PARKED}:{today}",
            kind=Alert.EVENTS_PARKED,
            guest=None,
            text=alerting.text(Alert.EVENTS_PARKED, facts.default_language),
        )

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                told = self._retrying(self.tell_batch)
                if told == 0:
                    self.purge()
                    self._rest(INTERVAL.total_seconds())
            except CloudError:
                return  # told to stop while waiting
            except DatabaseError as error:
                log.error("telling_failed", reason=str(error))

    def _rest(self, seconds: float) -> None:
        self._woken.wait(seconds)
        self._woken.clear()


def _read(content: bytes, events: Sequence[WaitingEvent]) -> Answer:
    """Raises :class:`CloudError` where the answer isn't about exactly these events."""
    try:
        answer = Answer.model_validate_json(content)
    except ValidationError:
        raise CloudError("the cloud's answer can't be read") from None
    named = [*answer.accepted, *(one.event_id for one in answer.rejected)]
    if sorted(named) != sorted(event.event_id for event in events):
        raise CloudError("the cloud's answer is about other events")
    return answer

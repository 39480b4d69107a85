"""What a job works with: every effect of a run happens once, however often the run is tried.

Each is one transaction: the effect's rows, and the step that remembers it. It begins by holding the
run's row, so that a worker that was given up for dead can't add to a run that another works on.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from threading import Event as Flag
from typing import Any, Final, TypeVar

import structlog
from pydantic import TypeAdapter
from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.costs.metering import meter
from cloud_jobs.costs.prices import UnknownItemError
from cloud_jobs.exchange.commands import issue
from cloud_jobs.runtime.claiming import Claimed, hold
from cloud_jobs.runtime.events import Event, take
from cloud_jobs.runtime.job import Also, FatalError, Jobs
from cloud_jobs.runtime.starting import Start, due, start
from cloud_jobs.runtime.steps import Steps
from cloud_jobs.runtime.stopping import Cancelled, Interrupted, Lost
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.base import table
from cloud_jobs.store.database import Store
from cloud_jobs.store.runs import Run, RunLog, StartedBy

T = TypeVar("T")
# What reads and writes a step's result: made once, for that takes longer than a small step.
_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
Dispatch = Callable[[Sequence[str]], None]
EVENT_SOURCE: Final = "job"
# A step that follows another at once doesn't ask again whether it may.
_FRESH: Final = timedelta(milliseconds=10)
# Before every step: see `cloud_jobs.runtime.claiming`.
_RUNS: Final = table(Run)
_CANCEL_ASKED: Final = select(_RUNS.c.cancel_asked).where(
    _RUNS.c.run_id == bindparam("of_run"), _RUNS.c.attempts == bindparam("of_attempt")
)
log = structlog.get_logger()


@dataclass(frozen=True)
class Parts:
    """What all runs of a process share. ``dispatch`` is called with runs after their commit."""

    settings: CloudSettings
    store: Store
    seal: Seal
    jobs: Jobs
    dispatch: Dispatch
    stopping: Flag

    def go_on(self) -> None:
        """Raises :class:`Interrupted` where this worker ends."""
        if self.stopping.is_set():
            raise Interrupted


class Context:
    """A :class:`cloud_jobs.runtime.job.RunContext`."""

    def __init__(self, parts: Parts, claimed: Claimed) -> None:
        self._parts = parts
        self._claimed = claimed
        self._is_writing = False
        self._steps = Steps(parts.seal, claimed)
        # When it was last known whose the run is, and that it goes on; None: its steps, and that,
        # are to be looked for.
        new = not claimed.may_have_steps
        self._seen: float | None = claimed.at if new and _is_fresh(claimed.at) else None
        self._is_cancelled = False
        self.settings = parts.settings
        self.store = parts.store
        self.seal = parts.seal
        self.jobs = parts.jobs
        self.run_id = claimed.run_id
        self.job = claimed.job
        self.attempt = claimed.attempt
        self.event_id = claimed.event_id
        self.guest = claimed.guest

    def step(
        self, name: str, what: Callable[[], T], returns: type[T], *, also: Also | None = None
    ) -> T:
        """See :class:`RunContext`. What is returned has been through JSON, the first time too."""
        adapter = _adapter(returns)
        remembered = self._finished(f"step:{name}")
        if remembered is not None:
            known: T = adapter.validate_json(remembered)
            return known
        self._go_on()
        text = adapter.dump_json(what(), by_alias=True).decode()
        result: T = adapter.validate_json(text)
        with self._writing() as session:
            if also is not None:
                also(session, result)
            self._steps.remember(session, f"step:{name}", text)
        return result

    def decide(self, name: str, what: Callable[[], T], returns: type[T]) -> T:
        """See :class:`RunContext`."""
        adapter = _adapter(returns)
        text = self._finished(f"step:{name}")
        if text is None:
            self._go_on()
            text = adapter.dump_json(what(), by_alias=True).decode()
            self._steps.decided(f"step:{name}", text)
        decided: T = adapter.validate_json(text)
        return decided

    def command(self, key: str, name: str, payload: dict[str, Any]) -> str:
        """See :class:`RunContext`."""
        command_id = f"{self.run_id}-{_short(key)}"

        def write(session: Session) -> str:
            issue(
                session,
                self.seal,
                command_id=command_id,
                name=name,
                payload=payload,
                run_id=self.run_id,
                now=_now(),
            )
            return command_id

        return self._once(f"command:{key}", write)

    def emit(
        self, key: str, name: str, payload: dict[str, Any], *, guest: str | None = None
    ) -> str:
        """See :class:`RunContext`."""
        event = Event(
            event_id=f"{self.run_id}-{_short(key)}",
            name=name,
            source=EVENT_SOURCE,
            occurred_at=_now(),
            payload=payload,
            guest=guest,
        )
        started: list[str] = []

        def write(session: Session) -> str:
            parts = self._parts
            taken = take(
                session,
                event,
                seal=self.seal,
                jobs=parts.jobs,
                zone=self.settings.zone,
                now=_now(),
            )
            started.extend(taken.run_ids)
            return event.event_id

        event_id = self._once(f"event:{key}", write)
        self._parts.dispatch(started)
        return event_id

    def start(
        self, key: str, job: str, payload: dict[str, Any], *, delay: timedelta = timedelta(0)
    ) -> str:
        """See :class:`RunContext`. The child knows the event and the guest of its parent."""
        if job not in self._parts.jobs.by_name:
            raise FatalError(f"there is no job {job} to start")
        started: list[str] = []

        def write(session: Session) -> str:
            now = _now()
            child = Start(
                self._parts.jobs.by_name[job],
                payload,
                StartedBy.JOB,
                not_before=now + delay,
                parent=self.run_id,
                event_id=self.event_id,
                guest=self.guest,
            )
            one = start(session, child, seal=self.seal, zone=self.settings.zone, now=now)
            if not delay:
                started.extend(due([one]))
            return one.run_id

        run_id = self._once(f"start:{key}", write)
        self._parts.dispatch(started)
        return run_id

    def meter(self, key: str, item: str, quantity: int = 1) -> None:
        """See :class:`RunContext`."""

        def write(session: Session) -> str:
            try:
                meter(
                    session,
                    self.settings,
                    key=f"{self.run_id}:{key}",
                    item=item,
                    quantity=quantity,
                    at=_now(),
                    run_id=self.run_id,
                    job=self.job,
                )
            except UnknownItemError as error:
                raise FatalError(str(error)) from None
            return ""

        self._once(f"meter:{key}", write)

    def log(self, message: str, **fields: Any) -> None:
        """See :class:`RunContext`. Each attempt tells its own: a log says what was tried."""
        log.info("run_log", run_id=self.run_id, job=self.job, message=message, **fields)
        with self._writing() as session:
            session.execute(
                insert(RunLog).values(
                    run_id=self.run_id, at=_now(), level="info", message=message, fields=fields
                )
            )

    def _once(self, name: str, write: Callable[[Session], str]) -> str:
        """Write something beside the step that remembers it; what it is called."""
        remembered = self._finished(name)
        if remembered is not None:
            return remembered
        self._parts.go_on()
        with self._writing() as session:
            if self._is_cancelled:
                raise Cancelled
            text = write(session)
            self._steps.remember(session, name, text)
        return text

    def _finished(self, name: str) -> str | None:
        """What a step came to before; the first looks what there is."""
        if self._seen is None:
            with self.store.reading() as session:
                self._steps.load(session)
                self._look(session)
        return self._steps.finished(name)

    def _go_on(self) -> None:
        """Raises :class:`Stopped` before something is begun that shall not be."""
        self._parts.go_on()
        if self._seen is None or not _is_fresh(self._seen):
            with self.store.reading() as session:
                self._look(session)
        if self._is_cancelled:
            raise Cancelled

    def _look(self, session: Session) -> None:
        ours = {"of_run": self.run_id, "of_attempt": self.attempt}
        asked = session.connection().scalar(_CANCEL_ASKED, ours)
        self._saw(asked)

    def _saw(self, asked: bool | None) -> None:
        if asked is None:
            raise Lost
        self._seen, self._is_cancelled = time.monotonic(), asked

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        if self._is_writing:  # it would wait for itself
            raise FatalError("what is done beside a step writes through the step's own session")
        self._is_writing = True
        try:
            with self.store.writing() as session:
                self._saw(hold(session, self._claimed, _now() + self.settings.run_lease))
                self._steps.remember_decided(session)
                yield session
            self._steps.are_remembered()
        finally:
            self._is_writing = False


def _is_fresh(at: float) -> bool:
    return time.monotonic() - at <= _FRESH.total_seconds()


def _short(key: str) -> str:
    return sha256(key.encode()).hexdigest()[:24]


def _now() -> datetime:
    return datetime.now(UTC)

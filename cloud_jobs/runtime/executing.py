"""Runs are worked on: claimed, handed to their job's function, and what came of it written down."""

import os
import socket
import time
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from threading import Event as Flag
from typing import Any, Final, Protocol

import structlog
from dramatiq.middleware import TimeLimitExceeded
from pydantic import BaseModel, TypeAdapter
from sqlalchemy.exc import OperationalError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from app.sealing import Seal
from cloud_jobs.runtime.claiming import Claimed, claim
from cloud_jobs.runtime.context import Context, Dispatch, Parts
from cloud_jobs.runtime.heartbeats import Hands
from cloud_jobs.runtime.job import FatalError, Job, Jobs
from cloud_jobs.runtime.retrying import judge, wait_before
from cloud_jobs.runtime.settling import Outcome, settle
from cloud_jobs.runtime.starting import payload_context
from cloud_jobs.runtime.stopping import Cancelled, Interrupted, Lost
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.database import Store
from cloud_jobs.store.runs import State

log = structlog.get_logger()
# Runs that are done within it are written down together.
_TOGETHER: Final = timedelta(milliseconds=50)
_OUTPUT: Final = TypeAdapter[BaseModel | dict[str, Any]](BaseModel | dict[str, Any])


class Limit(Protocol):
    """Ends what the thread does in it, by :class:`TimeLimitExceeded`, after some time."""

    def __call__(self, limit: timedelta, /) -> AbstractContextManager[None]: ...


def no_limit(_: timedelta) -> AbstractContextManager[None]:
    """For a run outside a worker: nobody ends it."""
    return nullcontext()


def nobody(_: Sequence[str]) -> None:
    """Dispatches nothing: the relay finds the runs."""


class Runner:
    """Works on runs, in any number of threads. ``limit`` keeps the jobs to their time limits.

    ``stop()`` has each run end at its next step, to go on in another worker.
    """

    def __init__(  # noqa: PLR0913 - the parts that every run works with
        self,
        settings: CloudSettings,
        store: Store,
        seal: Seal,
        jobs: Jobs,
        *,
        dispatch: Dispatch = nobody,
        limit: Limit = no_limit,
    ) -> None:
        self._parts = Parts(settings, store, seal, jobs, dispatch, Flag())
        self._limit = limit
        self.worker = f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        # Jobs whose last run here was over within `_TOGETHER`.
        self._quick: set[str] = set()
        self.hands = Hands(store, settings.run_lease, dispatch)

    def stop(self) -> None:
        """Have runs end at their next step; those that are not begun yet aren't."""
        self._parts.stopping.set()

    def execute(self, run_id: str) -> None:
        """Work on a run, if it may work now."""
        self.execute_all([run_id])

    def execute_all(self, run_ids: Sequence[str]) -> None:
        """Work on these runs, one after another; those that are quick are written down together."""
        parts = self._parts
        now = _now()
        with parts.store.writing() as session:
            claimed = claim(
                session,
                run_ids,
                worker=self.worker,
                now=now,
                until=now + parts.settings.run_lease,
            )
        with self.hands.holding(claimed):
            self._work(claimed)

    def _work(self, claimed: Sequence[Claimed]) -> None:
        outcomes: list[Outcome] = []
        since = time.monotonic()
        for one in claimed:
            # What has ended doesn't wait to be written down for what may take long.
            if one.job not in self._quick or time.monotonic() - since > _TOGETHER.total_seconds():
                self._settle(outcomes)
                outcomes = []
                since = time.monotonic()
            outcome = self._attempt(one) if self.hands.begin(one) else None
            if outcome is not None:
                outcomes.append(outcome)
                self._note_time(outcome)
        self._settle(outcomes)

    def _note_time(self, outcome: Outcome) -> None:
        is_quick = outcome.ended_at - outcome.started_at <= _TOGETHER
        (self._quick.add if is_quick else self._quick.discard)(outcome.claimed.job)

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        if outcomes:
            self._parts.dispatch(self._write_down(outcomes))

    @retry(
        retry=retry_if_exception_type(OperationalError),
        stop=stop_after_attempt(4),
        wait=wait_random_exponential(max=2),
        reraise=True,
    )
    def _write_down(self, outcomes: Sequence[Outcome]) -> list[str]:
        """A store that is away for a moment isn't a reason to do it all again."""
        parts = self._parts
        with parts.store.writing() as session:
            return settle(session, outcomes, settings=parts.settings, seal=parts.seal)

    def _attempt(self, claimed: Claimed) -> Outcome | None:
        """Try a run once; None if it is this worker's no more."""
        since = _now()
        try:
            self._parts.go_on()
            job = self._job(claimed)
            with self._limit(job.time_limit):
                output = self._call(job, claimed)
        except Cancelled:
            return _over(claimed, since, State.CANCELLED, None, None)
        except Interrupted:
            return Outcome(claimed, State.QUEUED, since, _now(), not_before=_now(), counted=False)
        except Lost:
            log.warning("run_lost", run_id=claimed.run_id, job=claimed.job)
            return None
        except (Exception, TimeLimitExceeded) as error:
            return self._failed(claimed, since, error)
        return Outcome(claimed, State.SUCCEEDED, since, _now(), output=output)

    def _job(self, claimed: Claimed) -> Job[Any]:
        """The run's job. Raises :class:`FatalError` where it has none, or no attempts left."""
        job = self._parts.jobs.by_name.get(claimed.job)
        if job is None:
            raise FatalError(f"no job is called {claimed.job} any more")
        if claimed.attempt - claimed.excused > job.attempts:
            raise FatalError("each of its attempts ended with its worker")
        return job

    def _call(self, job: Job[Any], claimed: Claimed) -> bytes | None:
        """Run the job's function; its output, sealed."""
        seal = self._parts.seal
        text = seal.open(claimed.payload, payload_context(claimed.run_id))
        payload = job.payload.model_validate_json(text)
        output = job.handler(Context(self._parts, claimed), payload)
        if output is None:
            return None
        written = (
            output.model_dump_json(by_alias=True)
            if isinstance(output, BaseModel)
            else _OUTPUT.dump_json(output).decode()
        )
        return seal.seal(written, f"runs.output:{claimed.run_id}")

    def _failed(self, claimed: Claimed, since: datetime, error: BaseException) -> Outcome:
        verdict = judge(error)
        tried = claimed.attempt - claimed.excused
        job = self._parts.jobs.by_name.get(claimed.job)
        again = verdict.again and job is not None and tried < job.attempts
        log.warning(
            "run_failed",
            run_id=claimed.run_id,
            job=claimed.job,
            attempt=claimed.attempt,
            kind=verdict.kind,
            again=again,
        )
        if again:
            now = _now()
            return Outcome(
                claimed,
                State.QUEUED,
                since,
                now,
                error_kind=verdict.kind,
                error=verdict.text,
                not_before=now + wait_before(tried, verdict.after),
            )
        late = isinstance(error, TimeLimitExceeded)
        state = State.TIMED_OUT if late else State.FAILED
        return _over(claimed, since, state, verdict.kind, verdict.text)


def _over(
    claimed: Claimed, since: datetime, state: State, kind: str | None, text: str | None
) -> Outcome:
    return Outcome(claimed, state, since, _now(), error_kind=kind, error=text)


def _now() -> datetime:
    return datetime.now(UTC)

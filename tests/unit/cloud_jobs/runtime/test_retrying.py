"""What a failure means, and what is told of it."""

import imaplib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import time_machine
from dramatiq.middleware import TimeLimitExceeded
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from cloud_jobs.runtime.job import FatalError, Nothing, Queue, RetryableError, RunContext, job
from cloud_jobs.runtime.pausing import pause, resume
from cloud_jobs.runtime.retrying import LONGEST_WAIT, SHORTEST_WAIT, judge, wait_before
from cloud_jobs.store.database import Store
from cloud_jobs.store.runs import State
from tests.support.cloud_layer import Layer, NewUrl
from tests.unit.cloud_jobs.conftest import MakeLayer

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
SECRET = "Ada Invented +39 000 1234567"


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (RetryableError("the mailbox is busy"), True),
        (httpx.ReadTimeout(SECRET), True),
        (httpx.ConnectError(SECRET), True),
        (OperationalError(SECRET, {}, Exception(SECRET)), True),
        (ConnectionResetError(SECRET), True),
        (TimeoutError(SECRET), True),
        (imaplib.IMAP4.abort(SECRET), True),
        (TimeLimitExceeded(), True),
        (FatalError("the key is refused"), False),
        (KeyError(SECRET), False),
        (TypeError(SECRET), False),
        (ValueError(SECRET), False),
        (AssertionError(SECRET), False),
        (httpx.UnsupportedProtocol(SECRET), False),
    ],
    ids=repr,
)
def test_what_may_work_later_is_tried_again_and_nothing_of_a_guest_is_told(
    error: BaseException, again: bool
) -> None:
    verdict = judge(error)
    assert verdict.again is again
    assert verdict.kind == type(error).__name__
    assert SECRET not in verdict.text


@given(st.integers(1, 200))
def test_each_wait_is_longer_by_chance_and_bounded(attempt: int) -> None:
    wait = wait_before(attempt, None)
    assert SHORTEST_WAIT <= wait <= LONGEST_WAIT
    assert wait >= min(SHORTEST_WAIT * 2 ** min(attempt - 1, 10), LONGEST_WAIT / 2)


@given(st.integers(1, 10), st.timedeltas(timedelta(0), timedelta(hours=2)))
def test_who_says_when_to_come_back_is_not_asked_before(attempt: int, after: timedelta) -> None:
    assert wait_before(attempt, after) >= after


def test_a_run_is_tried_as_often_as_its_job_says_and_alerts_once(layer: MakeLayer) -> None:
    broken = True

    @job("call", queue=Queue.WATCH, payload=Nothing, attempts=3)
    def call(run: RunContext, _: Nothing) -> None:
        if broken:
            raise httpx.ConnectError(SECRET)

    cloud = layer(call)
    with time_machine.travel(NOW, tick=False) as clock:
        cloud.begin(call, {})
        for attempt in (1, 2):
            cloud.run_all()
            (run,) = cloud.runs()
            assert (run.state, run.attempts) == (State.QUEUED, attempt)
            assert run.not_before > NOW
            assert cloud.alerts() == []
            clock.move_to(run.not_before)
        cloud.begin(call, {}, not_before=NOW + timedelta(hours=1))
        cloud.run_all()
        assert [run.state for run in cloud.runs()] == [State.FAILED, State.QUEUED]
        (alert,) = cloud.alerts()
        assert alert[0] == "job_failed"
        assert "ConnectError" in alert[1]
        assert SECRET not in alert[1]

        broken = False
        clock.move_to(NOW + timedelta(hours=1))
        cloud.run_all()
        assert cloud.alerts() == []  # it works again


def test_a_run_is_not_tried_before_it_was_told_to(layer: MakeLayer) -> None:
    @job("call", queue=Queue.WATCH, payload=Nothing)
    def call(run: RunContext, _: Nothing) -> None:
        if run.attempt == 1:
            raise RetryableError("too many requests", after=timedelta(minutes=10))

    cloud = layer(call)
    with time_machine.travel(NOW, tick=False) as clock:
        cloud.begin(call, {})
        cloud.run_all()
        (run,) = cloud.runs()
        assert run.not_before == NOW + timedelta(minutes=10)
        assert (run.error_kind, run.error) == ("RetryableError", "too many requests")
        clock.move_to(run.not_before)
        cloud.run_all()
    (run,) = cloud.runs()
    assert (run.state, run.attempts, run.error) == (State.SUCCEEDED, 2, None)


def test_what_takes_too_long_is_tried_again_and_then_timed_out(layer: MakeLayer) -> None:
    @job("sleep", queue=Queue.WATCH, payload=Nothing, attempts=2)
    def sleep(run: RunContext, _: Nothing) -> None:
        raise TimeLimitExceeded

    cloud = layer(sleep)
    cloud.begin(sleep, {})
    cloud.run_to_the_end()
    (run,) = cloud.runs()
    assert (run.state, run.attempts, run.error_kind) == (State.TIMED_OUT, 2, "TimeLimitExceeded")
    assert [kind for kind, _ in cloud.alerts()] == ["job_failed"]


def test_a_job_that_takes_its_worker_with_it_fails_in_the_end(layer: MakeLayer) -> None:
    @job("bomb", queue=Queue.WATCH, payload=Nothing, attempts=3)
    def bomb(run: RunContext, _: Nothing) -> None:
        raise SystemExit

    cloud = layer(bomb)
    cloud.begin(bomb, {})
    for _ in range(3):
        with pytest.raises(SystemExit):
            cloud.run_all()
        cloud.hurry()
    cloud.run_all()
    (run,) = cloud.runs()
    assert (run.state, run.error) == (State.FAILED, "each of its attempts ended with its worker")


class AwayStore(Store):
    """A store that is away when it is written to for the third time."""

    times = 0

    @contextmanager
    def writing(self, **options: Any) -> Iterator[Session]:
        """See :class:`Store`."""
        self.times += 1
        if self.times == 3:
            raise OperationalError("", {}, Exception("away"))
        with super().writing(**options) as session:
            yield session


@pytest.mark.thorough
def test_a_store_that_is_away_for_a_moment_is_no_reason_to_do_it_all_again(
    new_url: NewUrl,
) -> None:
    done: list[int] = []

    @job("count", queue=Queue.WATCH, payload=Nothing)
    def count(run: RunContext, _: Nothing) -> None:
        done.append(run.attempt)

    cloud = Layer.make(new_url, [count], store_class=AwayStore)
    cloud.begin(count, {})
    cloud.run_all()  # started, claimed, and then it is away
    assert [run.state for run in cloud.runs()] == [State.SUCCEEDED]
    assert done == [1]
    cloud.close()


def test_what_is_to_be_tried_again_waits_while_its_queue_is_paused(layer: MakeLayer) -> None:
    tried: list[int] = []

    @job("call", queue=Queue.WATCH, payload=Nothing)
    def call(run: RunContext, _: Nothing) -> None:
        tried.append(run.attempt)
        if run.attempt == 1:
            with cloud.store.writing() as session:
                pause(session, [Queue.WATCH], "test", "meanwhile", datetime.now(UTC))
            raise ConnectionError

    cloud = layer(call)
    cloud.begin(call, {})
    cloud.run_all()
    assert [run.state for run in cloud.runs()] == [State.QUEUED]  # it worked, so it wasn't paused
    cloud.hurry()
    cloud.run_all()
    assert [run.state for run in cloud.runs()] == [State.PAUSED]
    assert tried == [1]
    with cloud.store.writing() as session:
        resume(session, [Queue.WATCH], "test", datetime.now(UTC))
    cloud.run_all()
    assert tried == [1, 2]
    assert [run.state for run in cloud.runs()] == [State.SUCCEEDED]

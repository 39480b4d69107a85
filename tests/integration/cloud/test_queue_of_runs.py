"""Runs over a real Redis: dispatched, divided among threads, kept to their time limits."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from dramatiq import Worker

from app.queueing import WokenBroker
from cloud_jobs.runtime.actors import register
from cloud_jobs.runtime.broker import Dispatcher, make_broker, messages
from cloud_jobs.runtime.executing import Runner
from cloud_jobs.runtime.job import Nothing, Queue, RunContext, job
from cloud_jobs.runtime.time_limits import TimeLimits
from cloud_jobs.store.runs import FINISHED, State
from tests.support.cloud_layer import Layer
from tests.support.processes import eventually, redis_server
from tests.unit.cloud_jobs.conftest import MakeLayer


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as (_, url):
        yield url


@contextmanager
def working(cloud: Layer, redis_url: str, threads: int) -> Iterator[WokenBroker]:
    """A worker in this process."""
    limits = TimeLimits()
    broker = make_broker(redis_url, [limits])
    broker.flush_all()
    runner = Runner(cloud.settings, cloud.store, cloud.seal, cloud.jobs, limit=limits)
    register(broker, runner)
    worker = Worker(broker, worker_threads=threads, worker_timeout=20)
    worker.start()
    try:
        yield broker
    finally:
        worker.stop()


def states(cloud: Layer) -> set[str]:
    return {run.state for run in cloud.runs()}


@job("nothing", queue=Queue.WATCH, payload=Nothing)
def nothing(run: RunContext, _: Nothing) -> None:
    """Do nothing."""


def test_what_is_dispatched_is_run(layer: MakeLayer, redis_url: str) -> None:
    cloud = layer(nothing)
    with working(cloud, redis_url, threads=2) as broker:
        dispatcher = Dispatcher(broker)
        dispatcher.start()
        for _ in range(3):
            dispatcher([cloud.begin(nothing, {}) for _ in range(10)])
        dispatcher([])
        dispatcher.stop()
        eventually(lambda: states(cloud) == {State.SUCCEEDED}, "all succeeded")
    assert {run.attempts for run in cloud.runs()} == {1}


def test_few_runs_have_a_message_each_and_many_share_them() -> None:
    def sizes(count: int) -> set[int]:
        ids = [f"{number}" for number in range(count)]
        made = messages(ids)
        assert [run_id for one in made for run_id in one.args] == ids
        return {len(one.args) for one in made}

    assert sizes(0) == set()
    assert sizes(1) == sizes(31) == {1}
    assert max(sizes(100)) < 16
    assert sizes(1600) == {16}


def test_a_run_is_kept_to_its_own_time_limit_whatever_shares_its_message(
    layer: MakeLayer, redis_url: str
) -> None:
    ended = threading.Event()

    @job("stuck", queue=Queue.WATCH, payload=Nothing, attempts=1, time_limit=timedelta(seconds=1))
    def stuck(run: RunContext, _: Nothing) -> None:
        try:
            while not ended.wait(0.01):
                pass
            raise AssertionError("nobody ended it")
        except Exception as error:  # what ends it is none
            raise AssertionError from error

    cloud = layer(nothing, stuck)
    run_ids = [cloud.begin(which, {}) for which in (stuck, nothing)]
    with working(cloud, redis_url, threads=1) as broker:
        (message,) = messages(run_ids[:1])
        broker.enqueue_many([message.copy(args=tuple(run_ids))])
        try:
            eventually(lambda: states(cloud) <= FINISHED, "both are over")
        finally:
            ended.set()
    first, second = cloud.runs()
    assert (first.state, first.error) == (State.TIMED_OUT, "it took longer than its time limit")
    assert second.state == State.SUCCEEDED


def test_a_message_that_comes_twice_does_nothing(layer: MakeLayer, redis_url: str) -> None:
    done: list[str] = []

    @job("count", queue=Queue.WATCH, payload=Nothing)
    def count(run: RunContext, _: Nothing) -> None:
        done.append(run.run_id)

    cloud = layer(count)
    run_ids = [cloud.begin(count, {}) for _ in range(5)]
    with working(cloud, redis_url, threads=3) as broker:
        broker.enqueue_many(messages(run_ids * 3))
        broker.join(broker.name)
    assert sorted(done) == sorted(run_ids)

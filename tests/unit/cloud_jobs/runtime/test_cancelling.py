"""Cancelling what waits, works, or is over."""

from datetime import UTC, datetime

import pytest

from cloud_jobs.runtime.cancelling import cancel
from cloud_jobs.runtime.job import Nothing, Queue, RetryableError, RunContext, job
from cloud_jobs.runtime.pausing import pause
from cloud_jobs.store.runs import State
from tests.support.cloud_layer import Killed, Layer
from tests.unit.cloud_jobs.conftest import MakeLayer


def asked(cloud: Layer, run_id: str) -> State | None:
    with cloud.store.writing() as session:
        return cancel(session, run_id, datetime.now(UTC))


@job("quick", queue=Queue.REPORTS, payload=Nothing)
def quick(run: RunContext, _: Nothing) -> None:
    run.command("tell", "ALERT_DESK", {})


def test_what_waits_is_cancelled_at_once(layer: MakeLayer) -> None:
    cloud = layer(quick)
    run_id = cloud.begin(quick, {})
    assert asked(cloud, run_id) is State.CANCELLED
    cloud.run_all()
    assert cloud.commands() == []
    assert cloud.runs()[0].finished_at is not None


def test_what_is_paused_is_cancelled_too(layer: MakeLayer) -> None:
    cloud = layer(quick)
    with cloud.store.writing() as session:
        pause(session, [Queue.REPORTS], "test", "night", datetime.now(UTC))
    run_id = cloud.begin(quick, {})
    assert [run.state for run in cloud.runs()] == [State.PAUSED]
    assert asked(cloud, run_id) is State.CANCELLED


def test_what_is_over_stays_as_it_is_and_what_is_unknown_is_none(layer: MakeLayer) -> None:
    cloud = layer(quick)
    run_id = cloud.begin(quick, {})
    cloud.run_all()
    assert asked(cloud, run_id) is State.SUCCEEDED
    assert asked(cloud, "none") is None
    assert [run.state for run in cloud.runs()] == [State.SUCCEEDED]


def test_what_works_ends_before_its_next_step(layer: MakeLayer) -> None:
    @job("slow", queue=Queue.REPORTS, payload=Nothing)
    def slow(run: RunContext, _: Nothing) -> None:
        run.command("first", "ALERT_DESK", {"text": "first"})
        assert asked(cloud, run.run_id) is State.RUNNING
        try:
            run.command("second", "ALERT_DESK", {"text": "second"})
        except Exception as error:  # a job can't go on by mistake
            raise AssertionError from error

    cloud = layer(slow)
    cloud.begin(slow, {})
    cloud.run_all()
    assert cloud.commands() == [("ALERT_DESK", {"text": "first"})]
    assert [run.state for run in cloud.runs()] == [State.CANCELLED]
    assert cloud.alerts() == []


@pytest.mark.parametrize("ends", [RetryableError("later"), Killed()], ids=["fails", "is killed"])
def test_what_is_to_be_cancelled_is_not_tried_again(layer: MakeLayer, ends: BaseException) -> None:
    @job("slow", queue=Queue.REPORTS, payload=Nothing)
    def slow(run: RunContext, _: Nothing) -> None:
        assert run.attempt == 1
        asked(cloud, run.run_id)
        raise ends

    cloud = layer(slow)
    cloud.begin(slow, {})
    try:
        cloud.run_all()
    except Killed:
        cloud.hurry()
        cloud.run_all()
    assert [run.state for run in cloud.runs()] == [State.CANCELLED]

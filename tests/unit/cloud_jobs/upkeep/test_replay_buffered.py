"""What failed in an outage is replayed when it is over, once a failure, behind what was done."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from cloud_jobs.jobs.replay_buffered import replay_buffered
from cloud_jobs.runtime.job import FatalError, Nothing, On, Queue, RetryableError, RunContext, job
from cloud_jobs.runtime.starting import Start, start
from cloud_jobs.store.runs import StartedBy, State
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.conftest import MakeLayer

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
WORLD: dict[str, Any] = {}


@job("ask", On("ask.wanted"), queue=Queue.NOTICES, payload=Nothing, attempts=1)
def ask(run: RunContext, _: Nothing) -> None:
    """Tells the desk something, then asks a service that may be away."""
    run.command("before", "SEND_MESSAGE", {})
    if error := WORLD.get("error"):
        raise error("the service is away")
    run.command("after", "SEND_MESSAGE", {})


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    WORLD.clear()
    with time_machine.travel(NOON, tick=False) as found:
        yield found


@pytest.fixture
def cloud(layer: MakeLayer, clock: time_machine.Traveller) -> Layer:
    return layer(ask, replay_buffered)


def asked(cloud: Layer) -> list[str]:
    cloud.tell("ask.wanted", {})
    cloud.run_all()
    return states(cloud)


def states(cloud: Layer) -> list[str]:
    return [run.state for run in cloud.runs(ask)]


def sweep(cloud: Layer) -> int:
    """How many were replayed, and then worked on."""
    cloud.runner.execute(cloud.begin(replay_buffered, {}))
    run = cloud.runs(replay_buffered)[-1]
    assert run.state == State.SUCCEEDED, run.error
    cloud.run_all()
    return int((cloud.output(run) or {})["replayed"])


def test_after_an_outage_it_goes_on_where_it_was_and_repeats_nothing(
    cloud: Layer, clock: time_machine.Traveller
) -> None:
    WORLD["error"] = RetryableError
    assert asked(cloud) == ["failed"]
    assert sweep(cloud) == 0
    WORLD.clear()
    clock.shift(timedelta(minutes=5))
    assert [sweep(cloud), sweep(cloud)] == [1, 0]
    assert states(cloud) == ["failed", "succeeded"]
    assert len(cloud.commands()) == 2  # before, after
    assert cloud.alerts() == []


def test_it_is_tried_at_once_when_its_job_works_again(
    cloud: Layer, clock: time_machine.Traveller
) -> None:
    WORLD["error"] = RetryableError
    asked(cloud)
    WORLD.clear()
    clock.shift(timedelta(seconds=10))
    asked(cloud)
    assert sweep(cloud) == 1
    assert states(cloud) == ["failed", "succeeded", "succeeded"]


def test_while_it_lasts_it_is_tried_ever_more_seldom_and_for_a_day(
    cloud: Layer, clock: time_machine.Traveller
) -> None:
    WORLD["error"] = RetryableError
    asked(cloud)
    for minutes in (5, 10, 20, 40, 80, 160, 320, 640, 1280):
        clock.move_to(NOON + timedelta(minutes=minutes, seconds=-1))
        assert sweep(cloud) == 0
        clock.move_to(NOON + timedelta(minutes=minutes))
        assert sweep(cloud) == 1
    clock.move_to(NOON + timedelta(minutes=2 * 1280))
    assert sweep(cloud) == 0
    assert len(cloud.commands()) == 1
    assert len(cloud.alerts()) == 1


@pytest.mark.parametrize("error", [FatalError, ValueError])
def test_what_was_refused_for_good_is_left_to_a_person(
    cloud: Layer, clock: time_machine.Traveller, error: type[Exception]
) -> None:
    WORLD["error"] = error
    asked(cloud)
    clock.shift(timedelta(hours=2))
    assert sweep(cloud) == 0


def test_what_the_clock_started_is_left_to_its_next_tick(
    cloud: Layer, clock: time_machine.Traveller
) -> None:
    WORLD["error"] = RetryableError
    with cloud.store.writing() as session:
        one = Start(ask, {}, StartedBy.CLOCK)
        start(session, one, seal=cloud.seal, zone=cloud.settings.zone, now=NOON)
    cloud.run_all()
    clock.shift(timedelta(hours=2))
    assert states(cloud) == ["failed"]
    assert sweep(cloud) == 0

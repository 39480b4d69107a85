"""Which runs are found that no message stands for; with Redis itself in tests/integration/cloud."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from cloud_jobs.runtime import pausing
from cloud_jobs.runtime.job import Nothing, Payload, Queue, RetryableError, RunContext, job
from cloud_jobs.runtime.relay import GRACE, left_behind, note_queued, take_back
from cloud_jobs.store.runs import Run, State
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.conftest import MakeLayer

LEASE = timedelta(seconds=30)
MINUTE = timedelta(minutes=1)


class Room(Payload):
    """Whose key a run has."""

    number: int


@job("clean", queue=Queue.NOTICES, payload=Room, concurrency_key=lambda room: str(room.number))
def clean(run: RunContext, room: Room) -> None:
    run.log("cleaned", room=room.number)


@job("fail", queue=Queue.WATCH, payload=Nothing, attempts=2)
def fail(run: RunContext, _: Nothing) -> None:
    raise RetryableError("not yet", after=MINUTE)


def found(cloud: Layer, now: datetime, room: int = 100) -> list[str]:
    with cloud.store.reading() as session:
        return [run.run_id for run in left_behind(session, now, room)]


def set_run(cloud: Layer, run_id: str, **values: object) -> None:
    with cloud.store.writing() as session:
        session.execute(update(Run).where(Run.run_id == run_id).values(**values))


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def test_what_was_just_started_is_left_to_who_started_it(layer: MakeLayer, now: datetime) -> None:
    cloud = layer(clean)
    run_id = cloud.begin(clean, {"number": 1})
    assert found(cloud, now + timedelta(seconds=1)) == []
    assert found(cloud, now + 2 * GRACE) == [run_id]


def test_what_was_delayed_is_found_when_its_time_comes(layer: MakeLayer, now: datetime) -> None:
    cloud = layer(clean)
    run_id = cloud.begin(clean, {"number": 1}, not_before=now + MINUTE)
    assert found(cloud, now + MINUTE - timedelta(seconds=1)) == []
    assert found(cloud, now + MINUTE) == [run_id]


def test_what_is_to_be_tried_again_is_found_when_its_time_comes(
    layer: MakeLayer, now: datetime
) -> None:
    cloud = layer(fail)
    run_id = cloud.begin(fail, {})
    cloud.run_all()
    assert found(cloud, now + MINUTE / 2) == []
    assert found(cloud, now + 2 * MINUTE) == [run_id]


def test_what_was_queued_is_taken_to_be_there_for_a_lease(layer: MakeLayer, now: datetime) -> None:
    cloud = layer(clean)
    run_id = cloud.begin(clean, {"number": 1})
    later = now + MINUTE
    with cloud.store.writing() as session:
        note_queued(session, left_behind(session, later, 1), later + LEASE)
    assert found(cloud, later + LEASE / 2) == []
    assert found(cloud, later + 2 * LEASE) == [run_id]


def test_only_as_much_is_queued_as_there_is_room_for(layer: MakeLayer, now: datetime) -> None:
    cloud = layer(clean)
    run_ids = [cloud.begin(clean, {"number": number}) for number in range(5)]
    assert found(cloud, now + MINUTE, room=3) == run_ids[:3]
    assert found(cloud, now + MINUTE, room=0) == []
    assert found(cloud, now + MINUTE, room=-7) == []


def test_what_lost_its_worker_is_queued_again_and_given_up_in_the_end(
    layer: MakeLayer, now: datetime
) -> None:
    cloud = layer(clean)
    run_id = cloud.begin(clean, {"number": 1})
    for attempt in range(1, clean.attempts + 2):
        lost = {"state": State.RUNNING, "attempts": attempt, "worker": "gone"}
        set_run(cloud, run_id, **lost, lease_until=now)
        take_back(cloud.store, now - timedelta(seconds=1))
        assert cloud.runs()[0].state == State.RUNNING
        take_back(cloud.store, now)
        assert cloud.runs()[0].state == State.QUEUED
        assert found(cloud, now + MINUTE) == [run_id]
    cloud.run_all()
    assert cloud.runs()[0].state == State.FAILED
    assert [kind for kind, _ in cloud.alerts()] == ["job_failed"]


def test_what_waits_for_another_of_its_key_is_left(layer: MakeLayer, now: datetime) -> None:
    cloud = layer(clean)
    first, second = (cloud.begin(clean, {"number": 1}) for _ in range(2))
    other = cloud.begin(clean, {"number": 2})
    set_run(cloud, first, state=State.RUNNING, lease_until=now + 2 * MINUTE)
    assert found(cloud, now + MINUTE) == [other]
    set_run(cloud, first, state=State.SUCCEEDED)
    assert found(cloud, now + MINUTE) == [second, other]


def test_what_is_paused_is_left(layer: MakeLayer, now: datetime) -> None:
    cloud = layer(clean)
    run_id = cloud.begin(clean, {"number": 1})
    with cloud.store.writing() as session:
        pausing.pause(session, [Queue.NOTICES], "test", "quiet", now)
    take_back(cloud.store, now + MINUTE)
    assert found(cloud, now + MINUTE) == []
    with cloud.store.writing() as session:
        assert pausing.resume(session, [Queue.NOTICES], "test", now) == [run_id]
    assert found(cloud, now + MINUTE) == [run_id]

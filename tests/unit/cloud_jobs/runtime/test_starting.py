"""Starting runs: keys that count for a time, delays, many at once, payloads that don't fit."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from pydantic import ValidationError

from cloud_jobs.runtime.job import Nothing, On, Payload, Queue, RunContext, job
from cloud_jobs.runtime.starting import Start, Started, due, start_all
from cloud_jobs.store.runs import StartedBy, State
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.conftest import MakeLayer

NOW = datetime(2026, 12, 1, 23, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Guest(Payload):
    """Who is welcomed."""

    guest: str


@job(
    "welcome",
    On("guest.came"),
    queue=Queue.NOTICES,
    payload=Guest,
    once=(lambda guest: guest.guest, HOUR),
)
def welcome(run: RunContext, guest: Guest) -> None:
    run.command("hello", "SEND_MESSAGE", {"guest": guest.guest})


@job("sweep-floor", queue=Queue.UPKEEP, payload=Nothing)
def sweep_floor(run: RunContext, _: Nothing) -> None:
    run.command("sweep", "ALERT_DESK", {})


def begin(cloud: Layer, *starts: Start, now: datetime = NOW) -> list[Started]:
    with cloud.store.writing() as session:
        return start_all(session, starts, seal=cloud.seal, zone=cloud.settings.zone, now=now)


def by_key(key: str | None, **options: object) -> Start:
    return Start(sweep_floor, {}, StartedBy.PERSON, key=key, key_counts=HOUR, **options)  # type: ignore[arg-type]


def test_of_a_key_one_run_is_started_until_the_key_expires(layer: MakeLayer) -> None:
    cloud = layer(sweep_floor)
    (first,) = begin(cloud, by_key("a"))
    (again,) = begin(cloud, by_key("a"), now=NOW + HOUR - timedelta(milliseconds=1))
    (later,) = begin(cloud, by_key("a"), now=NOW + HOUR)
    assert first.is_new
    assert later.is_new
    assert again == Started(first.run_id, is_new=False)
    assert first.run_id != later.run_id
    assert len(cloud.runs()) == 2


def test_a_key_is_taken_though_its_run_failed(layer: MakeLayer) -> None:
    cloud = layer()
    (first,) = begin(cloud, by_key("a"))
    with time_machine.travel(NOW, tick=False):
        cloud.run_all()  # there is no such job
    assert [run.state for run in cloud.runs()] == [State.FAILED]
    assert begin(cloud, by_key("a"))[0] == Started(first.run_id, is_new=False)


def test_many_are_started_in_order_with_keys_twice_among_them(layer: MakeLayer) -> None:
    cloud = layer(sweep_floor)
    keys = ["a", "b", None, "a", None, "c" * 300, "c" * 300]
    started = begin(cloud, *(by_key(key, batch="x") for key in keys))
    assert [one.is_new for one in started] == [True, True, True, False, True, True, False]
    assert started[3].run_id == started[0].run_id
    assert started[6].run_id == started[5].run_id
    assert [run.run_id for run in cloud.runs()] == due(started)
    assert {run.batch for run in cloud.runs()} == {"x"}


def test_a_thousand_at_once(layer: MakeLayer) -> None:
    cloud = layer(sweep_floor)
    started = begin(cloud, *(by_key(f"{number % 900}") for number in range(1200)))
    assert [run.run_id for run in cloud.runs()] == due(started)
    assert len(due(started)) == 900


def test_a_job_that_runs_once_for_a_guest_does_so_for_a_time(layer: MakeLayer) -> None:
    cloud = layer(welcome)
    with time_machine.travel(NOW, tick=False) as clock:
        for minutes in (0, 59, 60, 61):
            clock.move_to(NOW + timedelta(minutes=minutes))
            cloud.tell("guest.came", {"guest": "a"})
            cloud.tell("guest.came", {"guest": "b"})
    assert [cloud.payload(run)["guest"] for run in cloud.runs()] == ["a", "b", "a", "b"]


def test_what_is_delayed_runs_when_its_time_comes(layer: MakeLayer) -> None:
    cloud = layer(sweep_floor)
    begin(cloud, by_key(None, not_before=NOW + HOUR))
    with time_machine.travel(NOW + HOUR - timedelta(milliseconds=1), tick=False) as clock:
        cloud.run_all()
        assert cloud.commands() == []
        clock.move_to(NOW + HOUR)
        cloud.run_all()
    assert len(cloud.commands()) == 1


def test_a_run_is_of_the_day_that_it_is_at_the_property(layer: MakeLayer) -> None:
    cloud = layer(sweep_floor)
    begin(cloud, by_key(None))
    assert [run.day for run in cloud.runs()] == ["2026-12-02"]


def test_a_payload_that_does_not_fit_is_refused(layer: MakeLayer) -> None:
    cloud = layer(welcome)
    with pytest.raises(ValidationError):
        begin(cloud, Start(welcome, {"guest": 3}, StartedBy.PERSON))
    assert cloud.runs() == []


def test_an_event_that_does_not_fit_is_kept_and_its_run_fails(layer: MakeLayer) -> None:
    cloud = layer(welcome)
    assert cloud.tell("guest.came", {"name": "Ada Invented"}).is_new
    cloud.run_all()
    (run,) = cloud.runs()
    assert (run.state, run.attempts, run.error) == (State.FAILED, 1, "guest: missing")
    assert cloud.payload(run) == {"name": "Ada Invented"}


def test_of_a_payload_only_what_the_job_reads_is_kept(layer: MakeLayer) -> None:
    cloud = layer(welcome)
    cloud.tell("guest.came", {"guest": "a", "name": "Ada Invented"})
    assert cloud.payload(cloud.runs()[0]) == {"guest": "a"}


def test_of_those_who_start_it_at_once_one_does(layer: MakeLayer) -> None:
    cloud = layer(sweep_floor)
    started: list[Started] = []
    barrier = threading.Barrier(4)

    def start(now: datetime) -> None:
        barrier.wait()
        started.extend(begin(cloud, by_key("a"), now=now))

    for now in (NOW, NOW + HOUR):  # a free key, and one that has expired
        started.clear()
        threads = [threading.Thread(target=start, args=(now,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(one.is_new for one in started) == [False, False, False, True]
        assert len({one.run_id for one in started}) == 1
    assert len(cloud.runs()) == 2

"""Several workers: a run is one's, a concurrency key has one run, the dead come too late."""

import threading
from datetime import UTC, datetime, timedelta

import time_machine
from sqlalchemy import update

from cloud_jobs.runtime.executing import Runner
from cloud_jobs.runtime.job import Nothing, Payload, Queue, RunContext, job
from cloud_jobs.runtime.listing import logs_of, steps_of
from cloud_jobs.store.runs import Run, State
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.conftest import MakeLayer


class Room(Payload):
    """Whose key a run has."""

    number: int


def runners(cloud: Layer, number: int) -> list[Runner]:
    return [Runner(cloud.settings, cloud.store, cloud.seal, cloud.jobs) for _ in range(number)]


def at_once(*works: "threading.Thread") -> None:
    for work in works:
        work.start()
    for work in works:
        work.join()


def test_of_many_workers_one_does_a_run(layer: MakeLayer) -> None:
    done: list[str] = []

    @job("count", queue=Queue.WATCH, payload=Nothing)
    def count(run: RunContext, _: Nothing) -> None:
        done.append(run.run_id)

    cloud = layer(count)
    run_ids = [cloud.begin(count, {}) for _ in range(20)]
    barrier = threading.Barrier(4)

    def work(runner: Runner) -> None:
        for run_id in run_ids:
            barrier.wait()
            runner.execute(run_id)

    at_once(*(threading.Thread(target=work, args=(one,)) for one in runners(cloud, 4)))
    assert sorted(done) == sorted(run_ids)
    assert {(run.state, run.attempts) for run in cloud.runs()} == {(State.SUCCEEDED, 1)}


def test_of_a_key_one_run_works_and_the_others_follow_in_their_order(layer: MakeLayer) -> None:
    working: dict[int, list[str]] = {1: [], 2: []}
    done: dict[int, list[str]] = {1: [], 2: []}

    @job("clean", queue=Queue.WATCH, payload=Room, concurrency_key=lambda room: str(room.number))
    def clean(run: RunContext, room: Room) -> None:
        working[room.number].append(run.run_id)
        assert working[room.number] == [run.run_id]
        run.log("in it")  # others have a turn meanwhile
        working[room.number].remove(run.run_id)
        done[room.number].append(run.run_id)

    cloud = layer(clean)
    begun: dict[int, list[str]] = {1: [], 2: []}
    for number in [1, 2, 1, 1, 2, 1, 2]:
        begun[number].append(cloud.begin(clean, {"number": number}))
    every = [*reversed(begun[1]), *reversed(begun[2])]

    def work(runner: Runner) -> None:
        while any(run.state == State.QUEUED for run in cloud.runs()):
            for run_id in every:
                runner.execute(run_id)

    at_once(*(threading.Thread(target=work, args=(one,)) for one in runners(cloud, 3)))
    assert done == begun


def test_the_end_of_a_run_calls_the_next_of_its_key(layer: MakeLayer) -> None:
    called: list[str] = []

    @job("clean", queue=Queue.WATCH, payload=Room, concurrency_key=lambda room: str(room.number))
    def clean(run: RunContext, room: Room) -> None:
        run.log("cleaned")

    cloud = layer(clean)
    first, second = (cloud.begin(clean, {"number": 1}) for _ in range(2))
    runner = Runner(cloud.settings, cloud.store, cloud.seal, cloud.jobs, dispatch=called.extend)
    runner.execute(second)  # it isn't its turn
    runner.execute(first)
    assert called == [second]


def test_a_key_is_free_while_its_run_waits_to_be_tried_again(layer: MakeLayer) -> None:
    @job("clean", queue=Queue.WATCH, payload=Room, concurrency_key=lambda room: str(room.number))
    def clean(run: RunContext, room: Room) -> None:
        if run.run_id == first:
            raise ConnectionError

    cloud = layer(clean)
    first = cloud.begin(clean, {"number": 1})
    second = cloud.begin(clean, {"number": 1})
    cloud.run_all()
    assert {run.run_id: run.state for run in cloud.runs()} == {
        first: State.QUEUED,
        second: State.SUCCEEDED,
    }


def test_a_worker_that_was_given_up_can_not_add_to_the_run_of_another(layer: MakeLayer) -> None:
    entered, given_up = threading.Event(), threading.Event()

    @job("slow", queue=Queue.WATCH, payload=Nothing)
    def slow(run: RunContext, _: Nothing) -> dict[str, int]:
        if run.attempt == 1:
            entered.set()
            given_up.wait()
        run.command("tell", "ALERT_DESK", {"attempt": run.attempt})
        return {"attempt": run.attempt}

    cloud = layer(slow)
    run_id = cloud.begin(slow, {})
    late, other = runners(cloud, 2)
    stuck = threading.Thread(target=late.execute, args=(run_id,))
    stuck.start()
    entered.wait()
    cloud.hurry()  # its lease is over
    other.execute(run_id)
    given_up.set()
    stuck.join()
    assert cloud.commands() == [("ALERT_DESK", {"attempt": 2})]
    (run,) = cloud.runs()
    assert (run.state, cloud.output(run)) == (State.SUCCEEDED, {"attempt": 2})


def test_a_worker_that_was_given_up_within_a_step_does_not_finish_it(layer: MakeLayer) -> None:
    @job("slow", queue=Queue.WATCH, payload=Nothing)
    def slow(run: RunContext, _: Nothing) -> None:
        def look() -> int:
            if run.attempt == 1:
                cloud.hurry()  # its lease is over
            return run.attempt

        run.log("looked", attempt=run.step("look", look, int))

    cloud = layer(slow)
    run_id = cloud.begin(slow, {})
    cloud.runner.execute(run_id)
    with cloud.store.reading() as session:
        assert steps_of(session, run_id) == []
    cloud.run_all()
    with cloud.store.reading() as session:
        assert [attempt for _, attempt, _ in steps_of(session, run_id)] == [2]
        assert [line.fields for line in logs_of(session, run_id)] == [{"attempt": 2}]


def test_leases_are_renewed_of_what_is_worked_on_and_the_rest_given_back(layer: MakeLayer) -> None:
    called: list[str] = []
    seen: dict[str, tuple[str, datetime | None]] = {}

    @job("slow", queue=Queue.WATCH, payload=Nothing)
    def slow(run: RunContext, _: Nothing) -> None:
        if run.run_id != run_ids[0]:
            return
        with cloud.store.writing() as session:
            session.execute(update(Run).values(lease_until=datetime.now(UTC)))
        runner.hands.renew()
        seen.update({one.run_id: (one.state, one.lease_until) for one in cloud.runs()})

    cloud = layer(slow)
    run_ids = [cloud.begin(slow, {}) for _ in range(3)]
    runner = Runner(cloud.settings, cloud.store, cloud.seal, cloud.jobs, dispatch=called.extend)
    since = datetime.now(UTC)
    runner.execute_all(run_ids)
    state, until = seen[run_ids[0]]
    assert state == State.RUNNING
    assert until is not None
    assert until > since + cloud.settings.run_lease - timedelta(seconds=1)
    assert [seen[run_id][0] for run_id in run_ids[1:]] == [State.QUEUED, State.QUEUED]
    assert called == run_ids[1:]
    cloud.run_all()
    assert {run.state for run in cloud.runs()} == {State.SUCCEEDED}
    assert [run.attempts - run.excused for run in cloud.runs()] == [1, 1, 1]


def test_a_worker_that_ends_lets_its_runs_go_on_elsewhere_from_their_next_step(
    layer: MakeLayer,
) -> None:
    done: list[str] = []

    def do(name: str) -> str:
        done.append(name)
        return name

    @job("steps", queue=Queue.WATCH, payload=Nothing, attempts=1)
    def steps(run: RunContext, _: Nothing) -> None:
        run.step("one", lambda: do("one"), str)
        if run.attempt == 1:
            ending.stop()
        run.step("two", lambda: do("two"), str)

    cloud = layer(steps)
    run_ids = [cloud.begin(steps, {}) for _ in range(2)]
    ending, other = runners(cloud, 2)
    ending.execute_all(run_ids)
    assert done == ["one"]
    assert {run.state for run in cloud.runs()} == {State.QUEUED}
    other.execute_all(run_ids)
    assert done == ["one", "two", "one", "two"]
    assert {run.state for run in cloud.runs()} == {State.SUCCEEDED}


def test_what_is_over_is_written_down_before_what_may_take_long(layer: MakeLayer) -> None:
    seen: list[list[str]] = []

    @job("look", queue=Queue.WATCH, payload=Room)
    def look(run: RunContext, room: Room) -> None:
        seen.append([one.state for one in cloud.runs()])
        clock.shift(room.number)

    cloud = layer(look)
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        cloud.runner.execute_all([cloud.begin(look, {"number": number}) for number in (1, 2, 3)])
    over, now, waits = State.SUCCEEDED, State.RUNNING, State.RUNNING
    assert seen == [[now, waits, waits], [over, now, waits], [over, over, now]]
    assert [run.state for run in cloud.runs()] == [over, over, over]

"""Runs as they are listed, counted and replayed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import time_machine

from cloud_jobs.runtime.job import FatalError, Payload, Queue, RetryableError, RunContext, job
from cloud_jobs.runtime.listing import Filter, JobDay, find, get, logs_of, stats, steps_of
from cloud_jobs.runtime.replaying import Replayed, replay
from cloud_jobs.store.runs import Run, StartedBy, State
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.conftest import MakeLayer

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Errand(Payload):
    """Whether it goes well."""

    well: bool = True


@job("walk", queue=Queue.REPORTS, payload=Errand)
def walk(run: RunContext, errand: Errand) -> None:
    run.step("out", lambda: 1, int)
    run.command("tell", "ALERT_DESK", {})
    run.log("walked", far=3)
    if not errand.well:
        raise FatalError("it rains")


@job("fly", queue=Queue.REPORTS, payload=Errand, attempts=1)
def fly(run: RunContext, errand: Errand) -> None:
    run.meter("look", "openweather.call", 1005)
    if not errand.well:
        raise RetryableError("no wind")


def three_days(cloud: Layer) -> None:
    """Each day two walks, one of them in the rain, and a flight, which fails on the last."""
    with time_machine.travel(NOW, tick=False) as clock:
        for day in range(3):
            clock.move_to(NOW + day * DAY)
            cloud.begin(walk, {"well": True})
            cloud.begin(walk, {"well": False})
            cloud.begin(fly, {"well": day < 2})
            cloud.run_all()


def ids(cloud: Layer, which: Filter, **page: int) -> list[int]:
    """The runs found, by their number in the order of their start, from 0."""
    numbers = {run.run_id: number for number, run in enumerate(cloud.runs())}
    with cloud.store.reading() as session:
        return [numbers[run.run_id] for run in find(session, which, **page)]


def again(cloud: Layer, which: Filter | str, *, keep_steps: bool = False) -> Replayed:
    with cloud.store.writing() as session:
        return replay(
            session,
            which,
            seal=cloud.seal,
            jobs=cloud.jobs,
            zone=cloud.settings.zone,
            now=datetime.now(UTC),
            keep_steps=keep_steps,
        )


def test_runs_are_found_by_all_that_is_asked_the_newest_first(layer: MakeLayer) -> None:
    cloud = layer(walk, fly)
    three_days(cloud)
    assert ids(cloud, Filter()) == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert ids(cloud, Filter(job="walk", state=State.FAILED)) == [7, 4, 1]
    assert ids(cloud, Filter(error_kind="RetryableError")) == [8]
    assert ids(cloud, Filter(since=NOW + DAY, until=NOW + 2 * DAY)) == [5, 4, 3]
    assert ids(cloud, Filter(job="walk"), limit=2) == [7, 6]
    before = cloud.runs()[6].seq
    assert ids(cloud, Filter(job="walk"), limit=2, before_seq=before) == [4, 3]


def test_a_run_is_shown_with_its_steps_and_its_log(layer: MakeLayer) -> None:
    cloud = layer(walk, fly)
    three_days(cloud)
    run_id = cloud.runs()[1].run_id
    with cloud.store.reading() as session:
        run = get(session, run_id)
        assert run is not None
        assert (run.state, run.error) == (State.FAILED, "it rains")
        names = {name for name, _, _ in steps_of(session, run_id)}
        assert names == {"step:out", "command:tell"}
        (line,) = logs_of(session, run_id)
        assert (line.message, line.fields) == ("walked", {"far": 3})
        assert get(session, "none") is None


def test_the_numbers_are_those_of_the_rows(layer: MakeLayer) -> None:
    cloud = layer(walk, fly)
    three_days(cloud)
    with cloud.store.reading() as session:
        found = stats(session, since="2026-12-02", until="2026-12-03")
    nothing = timedelta(0)  # the clock stands still
    last = [run for run in cloud.runs("fly") if run.day == "2026-12-03"]
    assert [(one.day, one.job) for one in found] == [
        ("2026-12-02", "fly"),
        ("2026-12-02", "walk"),
        ("2026-12-03", "fly"),
        ("2026-12-03", "walk"),
    ]
    assert found[1] == JobDay(
        "walk", "2026-12-02", {State.SUCCEEDED: 1, State.FAILED: 1}, nothing, nothing, Decimal(0)
    )
    assert found[2].states == {State.FAILED: 1}
    assert found[2].cost == last[0].cost > 0


def test_durations_are_of_the_last_attempt(layer: MakeLayer) -> None:
    cloud = layer(walk)
    for seconds in (2, 4):
        with time_machine.travel(NOW, tick=False) as clock:

            @job("walk", queue=Queue.REPORTS, payload=Errand)
            def slowly(
                run: RunContext, _: Errand, clock: object = clock, seconds: int = seconds
            ) -> None:
                clock.shift(seconds)  # type: ignore[attr-defined]

            cloud.jobs.by_name["walk"] = slowly
            cloud.begin(slowly, {})
            cloud.run_all()
    with cloud.store.reading() as session:
        (found,) = stats(session, since="2026-12-01", until="2026-12-01", job="walk")
    assert (found.average, found.longest) == (timedelta(seconds=3), timedelta(seconds=4))


def test_a_replay_is_a_new_run_that_does_everything_again(layer: MakeLayer) -> None:
    cloud = layer(walk)
    run_id = cloud.begin(walk, {}, guest="ab" * 32)
    cloud.run_all()
    replayed = again(cloud, run_id)
    cloud.run_all()
    assert len(cloud.commands()) == 2
    first, second = cloud.runs()
    assert replayed.run_ids == [second.run_id]
    assert (second.replay_of, second.started_by) == (first.run_id, StartedBy.REPLAY)
    assert (second.state, second.guest) == (State.SUCCEEDED, "ab" * 32)


def test_a_replay_that_keeps_steps_goes_on_where_its_run_ended(layer: MakeLayer) -> None:
    cloud = layer(walk)
    run_id = cloud.begin(walk, {"well": False})
    cloud.run_all()
    again(cloud, run_id, keep_steps=True)
    cloud.run_all()
    assert len(cloud.commands()) == 1
    assert [run.state for run in cloud.runs()] == [State.FAILED, State.FAILED]


def test_a_filter_replays_what_is_over_and_was_not_replayed(layer: MakeLayer) -> None:
    cloud = layer(walk, fly)
    three_days(cloud)
    cloud.begin(walk, {"well": False})  # it hasn't run
    which = Filter(state=State.FAILED, until=NOW + 2 * DAY)
    assert len(again(cloud, which).run_ids) == 2
    assert again(cloud, which) == Replayed([], 0)
    replays = [run for run in cloud.runs() if run.replay_of]
    assert [run.replay_of for run in replays] == [cloud.runs()[1].run_id, cloud.runs()[4].run_id]


def test_a_job_that_is_no_more_is_not_replayed(layer: MakeLayer) -> None:
    cloud = layer(walk, fly)
    three_days(cloud)
    del cloud.jobs.by_name["fly"]
    assert again(cloud, Filter(job="fly")) == Replayed([], 3)


def test_lists_do_not_read_what_is_sealed(layer: MakeLayer) -> None:
    cloud = layer(walk)
    cloud.begin(walk, {})
    with cloud.store.reading() as session:
        (run,) = find(session, Filter())
        assert isinstance(run, Run)
        assert "payload" not in run.__dict__

"""A queue that is paused keeps what comes, and runs it after."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cloud_jobs.runtime import pausing
from cloud_jobs.runtime.job import PAUSABLE, Nothing, On, Queue, RunContext, job
from cloud_jobs.runtime.relay import take_back
from cloud_jobs.store.runs import Pause, State
from tests.support.cloud_layer import Layer, NewUrl
from tests.unit.cloud_jobs.conftest import MakeLayer

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)
LATER = NOW + timedelta(hours=6)


@job("watch", On("watched"), queue=Queue.WATCH, payload=Nothing)
def watch(run: RunContext, _: Nothing) -> None:
    run.log("watched")


@job("report", On("watched"), queue=Queue.REPORTS, payload=Nothing)
def report(run: RunContext, _: Nothing) -> None:
    run.log("reported")


def pause(cloud: Layer, *queues: Queue, by: str = "mac") -> list[Queue]:
    with cloud.store.writing() as session:
        return pausing.pause(session, queues, by, "a quiet night", NOW)


def resume(cloud: Layer, *queues: Queue) -> list[str]:
    with cloud.store.writing() as session:
        return pausing.resume(session, queues, "sun", LATER)


def states(cloud: Layer) -> list[tuple[str, str]]:
    return [(run.job, run.state) for run in cloud.runs()]


def test_what_waits_and_what_comes_is_kept_and_run_after(layer: MakeLayer) -> None:
    cloud = layer(watch, report)
    before = cloud.tell("watched", {})
    assert pause(cloud, Queue.WATCH) == [Queue.WATCH]
    cloud.tell("watched", {})
    cloud.run_all()
    assert states(cloud) == [
        ("watch", State.PAUSED),
        ("report", State.SUCCEEDED),
        ("watch", State.PAUSED),
        ("report", State.SUCCEEDED),
    ]
    waiting = resume(cloud, Queue.WATCH)
    assert waiting == [run.run_id for run in cloud.runs(watch)]
    assert waiting[0] in before.run_ids
    cloud.run_all()
    assert {state for _, state in states(cloud)} == {State.SUCCEEDED}


def test_a_pause_says_who_and_why_and_is_remembered_when_it_is_over(layer: MakeLayer) -> None:
    cloud = layer(watch)
    assert pause(cloud, Queue.WATCH, Queue.NOTICES) == [Queue.WATCH, Queue.NOTICES]
    assert pause(cloud, Queue.WATCH, Queue.REPORTS, by="another") == [Queue.REPORTS]
    with cloud.store.reading() as session:
        found = pausing.paused(session)
    assert {queue: row.by for queue, row in found.items()} == {
        Queue.WATCH: "mac",
        Queue.NOTICES: "mac",
        Queue.REPORTS: "another",
    }
    assert found[Queue.WATCH].reason == "a quiet night"
    resume(cloud, *PAUSABLE)
    resume(cloud, *PAUSABLE)
    with cloud.store.reading() as session:
        assert not pausing.paused(session)
        over = session.scalars(select(Pause).order_by(Pause.queue)).all()
    assert [(row.queue, row.by, row.since, row.until, row.resumed_by) for row in over] == [
        ("notices", "mac", NOW, LATER, "sun"),
        ("reports", "another", NOW, LATER, "sun"),
        ("watch", "mac", NOW, LATER, "sun"),
    ]


def test_what_resumes_the_others_is_never_paused(layer: MakeLayer) -> None:
    cloud = layer(watch)
    with pytest.raises(ValueError, match="never paused"):
        pause(cloud, Queue.WATCH, Queue.UPKEEP)
    with cloud.store.reading() as session:
        assert not pausing.paused(session)


def test_a_run_that_was_kept_in_the_moment_of_resuming_is_not_forgotten(layer: MakeLayer) -> None:
    cloud = layer(watch)
    cloud.tell("watched", {})
    pause(cloud, Queue.WATCH)
    with cloud.store.writing() as session:
        session.delete(pausing.paused(session)[Queue.WATCH])
    take_back(cloud.store, LATER)
    assert states(cloud) == [("watch", State.QUEUED)]


PAUSABLES = st.lists(st.sampled_from(PAUSABLE), max_size=3)
MOVES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["pause", "resume"]), PAUSABLES),
        st.tuples(st.sampled_from(["tell", "run"]), st.just([])),
    ),
    max_size=12,
)


@pytest.mark.thorough
@settings(max_examples=15, deadline=None)  # each has a store of its own
@given(moves=MOVES)
def test_whatever_is_paused_and_resumed_every_run_runs_once(
    new_url: NewUrl, moves: list[tuple[str, list[Queue]]]
) -> None:
    cloud = Layer.make(new_url, [watch, report])
    told = 0
    for move, queues in moves:
        match move:
            case "pause":
                pause(cloud, *queues)
            case "resume":
                resume(cloud, *queues)
            case "tell":
                cloud.tell("watched", {})
                told += 1
            case _:
                cloud.run_all()
    resume(cloud, *PAUSABLE)
    cloud.run_all()
    assert [run.state for run in cloud.runs()] == [State.SUCCEEDED] * 2 * told
    assert [run.attempts for run in cloud.runs()] == [1] * 2 * told
    cloud.close()

"""A run from its start to its end, and what is written down of it."""

from contextlib import suppress
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud_jobs.runtime.job import Nothing, Queue, RunContext, job
from cloud_jobs.store.exchange import Nonce
from cloud_jobs.store.runs import State
from tests.unit.cloud_jobs.conftest import MakeLayer
from tests.unit.cloud_jobs.runtime.jobs import count_parcel, parcel_counted, shelve_parcel

GUEST = "ab" * 32


def test_an_event_runs_its_job_and_what_that_emits_runs_the_next(layer: MakeLayer) -> None:
    cloud = layer(count_parcel, parcel_counted, shelve_parcel)
    taken = cloud.tell("parcel.came", {"number": 4}, guest=GUEST)
    assert taken.is_new
    cloud.run_all()
    assert cloud.commands() == [
        ("SEND_MESSAGE", {"guest": GUEST, "text": "parcel 5"}),
        ("ALERT_DESK", {"text": "5"}),
    ]
    first, second, child = cloud.runs()
    assert first.run_id == taken.run_ids[0] == child.parent
    assert first.state == second.state == State.SUCCEEDED
    assert cloud.output(first) == {"seen": 5}
    assert second.guest == child.guest == GUEST
    assert child.state == State.QUEUED  # it is to wait five minutes


def test_an_event_that_comes_again_starts_nothing(layer: MakeLayer) -> None:
    cloud = layer(parcel_counted)
    assert cloud.tell("parcel.counted", {"number": 1}, event_id="one").is_new
    assert not cloud.tell("parcel.counted", {"number": 2}, event_id="one").is_new
    cloud.run_all()
    assert cloud.commands() == [("ALERT_DESK", {"text": "1"})]


class Seen(BaseModel):
    """What a step comes to."""

    numbers: tuple[int, ...]


def test_a_step_is_what_it_will_be_for_the_next_attempt_too(layer: MakeLayer) -> None:
    found: list[Seen] = []

    @job("look", queue=Queue.WATCH, payload=Nothing)
    def look(run: RunContext, _: Nothing) -> None:
        found.append(run.step("look", lambda: Seen(numbers=(1, 2)), Seen))
        if run.attempt == 1:
            raise ConnectionError

    cloud = layer(look)
    cloud.begin(look, {})
    cloud.run_to_the_end()
    assert found == [Seen(numbers=(1, 2))] * 2


@pytest.mark.parametrize("then", ["nothing", "a command", "a failed step and a command"])
def test_a_decision_is_remembered_with_what_follows_from_it(layer: MakeLayer, then: str) -> None:
    decided: list[int] = []
    tried: list[int] = []

    def fail(*_: object) -> None:
        raise ConnectionError

    @job("decide", queue=Queue.WATCH, payload=Nothing)
    def decide(run: RunContext, _: Nothing) -> None:
        decided.append(run.decide("which", lambda: run.attempt, int))
        if then == "a failed step and a command":
            with suppress(ConnectionError):
                run.step("fails", lambda: True, bool, also=fail)
        if then != "nothing":
            run.command("do", "ALERT_DESK", {"text": f"{decided[-1]}"})
            run.log("done")
        tried.append(run.attempt)
        if run.attempt == 1:
            raise ConnectionError

    cloud = layer(decide)
    cloud.begin(decide, {})
    cloud.run_to_the_end()
    assert tried == [1, 2]
    assert decided == ([1, 2] if then == "nothing" else [1, 1])
    assert cloud.commands() == ([] if then == "nothing" else [("ALERT_DESK", {"text": "1"})])


def test_rows_beside_a_step_are_written_with_it_or_not_at_all(layer: MakeLayer) -> None:
    def note(session: Session, result: int) -> None:
        session.add(Nonce(client="test", nonce=f"{result}", expires_at=cloud.runs()[0].created_at))
        if result == 1:
            raise ConnectionError

    @job("note", queue=Queue.WATCH, payload=Nothing)
    def noting(run: RunContext, _: Nothing) -> None:
        run.step("note", lambda: run.attempt, int, also=note)

    cloud = layer(noting)
    cloud.begin(noting, {})
    cloud.run_to_the_end()
    with cloud.store.reading() as session:
        assert session.scalars(select(Nonce.nonce)).all() == ["2"]


def _twice(run: RunContext) -> None:
    run.command("tell", "ALERT_DESK", {})
    run.command("tell", "ALERT_DESK", {})


def _within(run: RunContext) -> None:
    def also(_session: Session, _result: Any) -> None:
        run.command("tell", "ALERT_DESK", {})

    run.step("look", lambda: 1, int, also=also)


def _unwritable(run: RunContext) -> None:
    run.step("look", object, object)


def _unknown(run: RunContext) -> None:
    run.start("child", "no such job", {})


@pytest.mark.parametrize("wrong", [_twice, _within, _unwritable, _unknown])
def test_what_is_wrong_in_a_job_fails_it_at_once(layer: MakeLayer, wrong: Any) -> None:
    @job("wrong", queue=Queue.WATCH, payload=Nothing)
    def wrong_job(run: RunContext, _: Nothing) -> None:
        wrong(run)

    cloud = layer(wrong_job)
    cloud.begin(wrong_job, {})
    cloud.run_all()
    (run,) = cloud.runs()
    assert (run.state, run.attempts) == (State.FAILED, 1)

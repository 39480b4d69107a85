"""Whatever happens to runs, in whatever order: the rows say what was done, and it was done once.

Real store, real jobs; what a scheduler, workers, a person and death do, by chance.
"""

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from cloud_jobs.runtime.cancelling import cancel
from cloud_jobs.runtime.job import FatalError, Payload, Queue, RetryableError, RunContext, job
from cloud_jobs.runtime.listing import Filter, steps_of
from cloud_jobs.runtime.pausing import pause, resume
from cloud_jobs.runtime.relay import take_back
from cloud_jobs.runtime.replaying import replay
from cloud_jobs.store.runs import FINISHED, Run, State
from tests.support.cloud_layer import Killed, Layer, MortalStore, NewUrl

BEGIN = datetime(2026, 12, 1, 12, tzinfo=UTC)
ATTEMPTS = 3


class Errand(Payload):
    """How many steps it has, and what goes wrong in which attempt."""

    steps: int
    room: int
    troubles: tuple[str, ...] = ()


@job(
    "errand",
    queue=Queue.NOTICES,
    payload=Errand,
    attempts=ATTEMPTS,
    concurrency_key=lambda errand: f"{errand.room}",
)
def errand_job(run: RunContext, errand: Errand) -> dict[str, int]:
    for number in range(errand.steps):
        run.command(f"{number}", "ALERT_DESK", {"run": run.run_id, "number": number})
        if number == 0 and len(errand.troubles) >= run.attempt:
            _raise(errand.troubles[run.attempt - 1])
    return {"steps": errand.steps}


def _raise(trouble: str) -> None:
    if trouble == "later":
        raise RetryableError("later")
    if trouble == "never":
        raise FatalError("never")


class RunsMachine(RuleBasedStateMachine):
    """The state of every run, as its row has it."""

    cloud: Layer

    @initialize()
    def begin(self) -> None:
        self.clock = time_machine.travel(BEGIN, tick=False)
        self.time = self.clock.start()
        self.cloud.empty()
        assert isinstance(self.cloud.store, MortalStore)
        self.mortal = self.cloud.store
        self.over: dict[str, str] = {}

    def teardown(self) -> None:
        """In the end all are over, and what succeeded did all it had to."""
        self._to_the_end()
        self.clock.stop()

    @rule(
        steps=st.integers(0, 3),
        room=st.integers(0, 2),
        troubles=st.lists(st.sampled_from(["none", "later", "never"]), max_size=4),
        key=st.one_of(st.none(), st.sampled_from("ab")),
        delay=st.integers(0, 2),
    )
    def start(
        self, steps: int, room: int, troubles: list[str], key: str | None, delay: int
    ) -> None:
        payload = {"steps": steps, "room": room, "troubles": troubles}
        at = self._now() + timedelta(minutes=delay)
        before = {run.run_id for run in self.cloud.runs() if run.idempotency_key == key}
        run_id = self.cloud.begin(errand_job, payload, key=key, not_before=at)
        if key is not None and before:
            assert run_id in before

    @rule(number=st.integers(0, 9))
    def execute(self, number: int) -> None:
        if runs := self.cloud.runs():
            self.cloud.runner.execute(runs[number % len(runs)].run_id)

    @rule()
    def execute_together(self) -> None:
        self.cloud.runner.execute_all([run.run_id for run in self.cloud.runs()])

    @rule(point=st.integers(1, 12))
    def die_at_work(self, point: int) -> None:
        self.mortal.passed = 0
        self.mortal.dies_at = point
        with suppress(Killed):
            self.cloud.run_all()
        self.mortal.dies_at = 0

    @rule(number=st.integers(0, 9))
    def cancel(self, number: int) -> None:
        runs = self.cloud.runs()
        if not runs:
            return
        run = runs[number % len(runs)]
        with self.cloud.store.writing() as session:
            state = cancel(session, run.run_id, self._now())
        waits = run.state in {State.QUEUED, State.PAUSED}
        assert state == (State.CANCELLED if waits else run.state)

    @rule()
    def pause(self) -> None:
        with self.cloud.store.writing() as session:
            pause(session, [Queue.NOTICES], "test", "by chance", self._now())
        assert State.QUEUED not in {run.state for run in self.cloud.runs()}

    @rule()
    def resume(self) -> None:
        with self.cloud.store.writing() as session:
            resume(session, [Queue.NOTICES], "test", self._now())
        assert State.PAUSED not in {run.state for run in self.cloud.runs()}

    @rule(seconds=st.sampled_from([1, 10, 40, 600]))
    def wait(self, seconds: int) -> None:
        self.time.shift(seconds)
        take_back(self.cloud.store, self._now())

    @rule(state=st.sampled_from([State.FAILED, State.SUCCEEDED]), keep=st.booleans())
    def replay(self, state: State, keep: bool) -> None:
        cloud = self.cloud
        with cloud.store.writing() as session:
            replay(
                session,
                Filter(state=state),
                seal=cloud.seal,
                jobs=cloud.jobs,
                zone=cloud.settings.zone,
                now=self._now(),
                keep_steps=keep,
                limit=2,
            )

    @invariant()
    def what_is_over_stays_over(self) -> None:
        now_over = {run.run_id: run.state for run in self.cloud.runs() if run.state in FINISHED}
        assert self.over.items() <= now_over.items()
        self.over = now_over

    @invariant()
    def of_a_key_one_works(self) -> None:
        working = Counter(
            run.concurrency_key for run in self.cloud.runs() if run.state == State.RUNNING
        )
        assert all(number == 1 for number in working.values())

    @invariant()
    def attempts_are_bounded(self) -> None:
        # One more: of a run whose workers died each time, the one that says so.
        assert all(run.attempts - run.excused <= ATTEMPTS + 1 for run in self.cloud.runs())

    @invariant()
    def each_command_is_given_once_and_in_order(self) -> None:
        for found in self._numbers().values():
            assert found == [*range(found[0], found[0] + len(found))]

    def _to_the_end(self) -> None:
        self.resume()
        self.cloud.run_to_the_end()
        numbers = self._numbers()
        for run in self.cloud.runs():
            steps = self.cloud.payload(run)["steps"]
            done = len(numbers.get(run.run_id, [])) + self._kept(run)
            assert done <= steps
            assert run.finished_at is not None
            if run.state == State.SUCCEEDED:
                assert done == steps
                assert self.cloud.output(run) == {"steps": steps}

    def _kept(self, run: Run) -> int:
        """How many steps a run has from the one that it replays."""
        with self.cloud.store.reading() as session:
            return sum(attempt == 0 for _, attempt, _ in steps_of(session, run.run_id))

    def _numbers(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for _, payload in self.cloud.commands():
            found.setdefault(payload["run"], []).append(payload["number"])
        return found

    def _now(self) -> datetime:
        return datetime.now(UTC)


@pytest.mark.thorough
def test_whatever_happens_each_run_does_what_it_should_once(new_url: NewUrl) -> None:
    cloud = Layer.make(new_url, [errand_job], store_class=MortalStore)
    machine = type("OverOneStore", (RunsMachine,), {"cloud": cloud})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=30, stateful_step_count=25, deadline=None)
    )
    cloud.close()

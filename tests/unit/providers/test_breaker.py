"""The breaker as a state machine: whatever happens to it, in whatever order."""

from collections import deque
from datetime import timedelta
from threading import Thread

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.providers.breaker import NO_LIMIT, Breaker, BreakerState, Snapshot, Tolerance

WINDOW, REST, PROBE = 60.0, 30.0, 15.0
FEWEST = 4
TOLERANCE = Tolerance(
    timedelta(seconds=WINDOW), FEWEST, timedelta(seconds=REST), timedelta(seconds=PROBE)
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class BreakerMachine(RuleBasedStateMachine):
    """Beside the breaker, what may be said of it from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.changes: list[BreakerState] = []
        self.breaker = Breaker(TOLERANCE, self._changed, clock=self.clock)
        self.calls: deque[tuple[float, bool]] = deque()
        self.under_way: set[str] = set()
        self.probe: str | None = None
        self.probed_at = 0.0
        self.opened_at = 0.0
        self.number = 0

    def _changed(self, breaker: Breaker) -> None:
        self.changes.append(breaker.snapshot().state)

    @property
    def state(self) -> BreakerState:
        return self.breaker.snapshot().state

    @rule(seconds=st.floats(0, 70))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def call_begins(self) -> None:
        self.number += 1
        name = f"call-{self.number}"
        before = self.state
        taken = self.probe is not None and self.clock.now - self.probed_at < PROBE
        admitted = self.breaker.admit(name)
        assert self.state is before, "admitting changes nothing"
        assert admitted is (
            before is BreakerState.CLOSED or (before is BreakerState.HALF_OPEN and not taken)
        )
        if admitted:
            self.under_way.add(name)
        if admitted and before is BreakerState.HALF_OPEN:
            self.probe, self.probed_at = name, self.clock.now

    @rule()
    def room_is_asked(self) -> None:
        before = self.state
        rested = self.clock.now - self.opened_at >= REST
        room = self.breaker.room()
        if before is BreakerState.CLOSED:
            assert room == NO_LIMIT
        elif before is BreakerState.OPEN:
            assert room == int(rested)
            assert (self.state is BreakerState.HALF_OPEN) is rested
            self.probe = None if rested else self.probe
        else:
            assert room in (0, 1)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), outcome=st.sampled_from(["good", "bad", "nothing"]))
    def call_ends(self, data: st.DataObject, outcome: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.under_way)))
        self.under_way.remove(name)
        before = self.state
        {
            "good": self.breaker.succeeded,
            "bad": lambda call: self.breaker.failed(call, "it broke"),
            "nothing": self.breaker.told_nothing,
        }[outcome](name)
        expected = self._expected(before, name, outcome)
        assert self.state is expected
        if expected is not before:
            assert self.changes[-1] is expected
            self.calls.clear()
            self.probe = None
            self.opened_at = self.clock.now

    def _expected(self, before: BreakerState, name: str, outcome: str) -> BreakerState:
        if before is BreakerState.HALF_OPEN and name == self.probe:
            if outcome == "nothing":
                self.probe = None
                return before
            return BreakerState.CLOSED if outcome == "good" else BreakerState.OPEN
        if before is not BreakerState.CLOSED or outcome == "nothing":
            return before
        self.calls.append((self.clock.now, outcome == "bad"))
        recent = [bad for at, bad in self.calls if self.clock.now - at <= WINDOW]
        trips = outcome == "bad" and len(recent) >= FEWEST and sum(recent) * 2 >= len(recent)
        return BreakerState.OPEN if trips else before

    @invariant()
    def it_holds_no_more_than_its_window(self) -> None:
        kept = self.breaker._calls
        assert not kept or kept[-1][0] - kept[0][0] <= WINDOW


TestBreakerMachine = BreakerMachine.TestCase


def fail(breaker: Breaker, times: int) -> None:
    for number in range(times):
        assert breaker.admit(f"call-{number}")
        breaker.failed(f"call-{number}", "timeout")


def test_it_opens_at_half_of_enough_calls_and_not_before() -> None:
    breaker = Breaker(TOLERANCE, clock=Clock())
    for call, good in (("a", True), ("b", False), ("c", True)):
        assert breaker.admit(call)
        breaker.succeeded(call) if good else breaker.failed(call, "500")
    assert breaker.snapshot().state is BreakerState.CLOSED
    breaker.failed("d", "500")
    assert breaker.snapshot() == Snapshot(BreakerState.OPEN, timedelta(0), "500")


def test_many_threads_get_one_probe_between_them() -> None:
    clock = Clock()
    breaker = Breaker(TOLERANCE, clock=clock)
    fail(breaker, FEWEST)
    clock.now += REST
    assert breaker.room() == 1
    admitted: list[str] = []

    def ask(name: str) -> None:
        if breaker.admit(name):
            admitted.append(name)

    threads = [Thread(target=ask, args=(f"thread-{number}",)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(admitted) == 1


@pytest.mark.parametrize(("age", "room"), [(0, 0), (REST - 1, 0), (REST, 1)])
def test_it_begins_as_it_was_left(age: float, room: int) -> None:
    left = Snapshot(BreakerState.OPEN, timedelta(seconds=age), "500")
    assert Breaker(TOLERANCE, begin=left, clock=Clock()).room() == room


def test_a_change_is_told_without_a_lock_held() -> None:
    seen: list[Snapshot] = []
    breaker = Breaker(TOLERANCE, lambda changed: seen.append(changed.snapshot()), clock=Clock())
    fail(breaker, FEWEST)
    assert [one.state for one in seen] == [BreakerState.OPEN]

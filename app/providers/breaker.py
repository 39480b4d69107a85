"""The breaker: whoever fails too often is left alone for a while, then asked once.

``closed → open`` once half of the last calls failed (and there were enough of them), ``open →
half_open`` after a rest, when one call is let through: it closes the breaker or opens it again.

Why not a library: a message is *admitted* in the transaction that claims its row and the call is
made after that commit, by another function; and an open breaker must stay open through a restart.
purgatory, pybreaker, circuitbreaker and hyx count failures in a row and know no rate; fluxgate has
a rate, is not safe among threads and lets probes through by chance; interlock-cb has all of that,
but admits and calls in one, and can't begin open (all looked at in November 2026).
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

# Of the calls in the window; as the issue of it has it.
FAILING_SHARE: Final = 0.5
# More than anybody asks of a breaker that is closed.
NO_LIMIT: Final = 1_000_000


class BreakerState(StrEnum):
    """Closed lets everything through, open nothing, half-open one call."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True)
class Tolerance:
    """When it opens and how it closes.

    At least ``fewest_calls`` within ``window`` are needed to open it. ``rest``: how long it stays
    open. ``probe_time``: when a probe that was never heard of again counts as lost.
    """

    window: timedelta
    fewest_calls: int
    rest: timedelta
    probe_time: timedelta


@dataclass(frozen=True)
class Snapshot:
    """How it stands: ``age`` since it came to this state, and the failure that opened it."""

    state: BreakerState
    age: timedelta
    reason: str | None


class Breaker:
    """One breaker for all threads of a process; ``clock`` counts seconds and never goes back.

    ``on_change`` is called after each change, in the thread that brought it about and without any
    lock held: what it finds by :meth:`snapshot` may be newer. ``begin`` is what an earlier process
    left.
    """

    def __init__(
        self,
        tolerance: Tolerance,
        on_change: Callable[["Breaker"], None] = lambda _: None,
        *,
        begin: Snapshot | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tolerance = tolerance
        self._on_change = on_change
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: deque[tuple[float, bool]] = deque()
        self._probe: tuple[str, float] | None = None
        self._state = begin.state if begin else BreakerState.CLOSED
        self._since = clock() - (begin.age.total_seconds() if begin else 0)
        self._reason = begin.reason if begin else None

    def snapshot(self) -> Snapshot:
        """How it stands now."""
        with self._lock:
            age = timedelta(seconds=self._clock() - self._since)
            return Snapshot(self._state, age, self._reason)

    def room(self) -> int:
        """How many calls may be begun now; moves to half-open when the rest is over."""
        with self._lock:
            rested = self._clock() - self._since >= self._tolerance.rest.total_seconds()
            wakes = self._state is BreakerState.OPEN and rested
            if wakes:
                self._move(BreakerState.HALF_OPEN, self._reason)
            room = self._room()
        if wakes:
            self._on_change(self)
        return room

    def admit(self, call: str) -> bool:
        """Whether ``call`` may be made now; what came of it must then be told, by the same name.

        Never changes the state, so it may be asked inside a transaction.
        """
        with self._lock:
            if self._room() == 0:
                return False
            if self._state is BreakerState.HALF_OPEN:
                self._probe = (call, self._clock())
            return True

    def succeeded(self, call: str) -> None:
        """The other side answered ``call``, whatever it said."""
        with self._lock:
            closes = self._is_probe(call)
            if closes:
                self._move(BreakerState.CLOSED, None)
            elif self._state is BreakerState.CLOSED:
                self._count(failed=False)
        if closes:
            self._on_change(self)

    def failed(self, call: str, reason: str) -> None:
        """``call`` was not answered, or with a failure of the other side's own."""
        with self._lock:
            opens = self._is_probe(call)
            if self._state is BreakerState.CLOSED:
                self._count(failed=True)
                opens = self._fails_too_often()
            if opens:
                self._move(BreakerState.OPEN, reason)
        if opens:
            self._on_change(self)

    def told_nothing(self, call: str) -> None:
        """``call`` says nothing about the other side: it was never made. Another may probe."""
        with self._lock:
            if self._is_probe(call):
                self._probe = None

    def _room(self) -> int:
        match self._state:
            case BreakerState.CLOSED:
                return NO_LIMIT
            case BreakerState.OPEN:
                return 0
            case BreakerState.HALF_OPEN:
                return 0 if self._is_probing() else 1

    def _is_probing(self) -> bool:
        if self._probe is None:
            return False
        return self._clock() - self._probe[1] < self._tolerance.probe_time.total_seconds()

    def _is_probe(self, call: str) -> bool:
        return self._probe is not None and self._probe[0] == call

    def _count(self, *, failed: bool) -> None:
        now = self._clock()
        self._calls.append((now, failed))
        while now - self._calls[0][0] > self._tolerance.window.total_seconds():
            self._calls.popleft()

    def _fails_too_often(self) -> bool:
        failures = sum(failed for _, failed in self._calls)
        enough = len(self._calls) >= self._tolerance.fewest_calls
        return enough and failures >= FAILING_SHARE * len(self._calls)

    def _move(self, state: BreakerState, reason: str | None) -> None:
        self._state, self._since, self._reason = state, self._clock(), reason
        self._probe = None
        self._calls.clear()

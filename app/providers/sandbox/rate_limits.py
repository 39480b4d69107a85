"""Spoki's limits on sends: 120 texts and 60 templates a minute, per account."""

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

Kind = Literal["Message", "Template"]
PER_MINUTE: dict[Kind, int] = {"Message": 120, "Template": 60}
WINDOW_SECONDS = 60.0


class RateLimits:
    """A sliding window for each kind of send."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._taken: dict[Kind, deque[float]] = {kind: deque() for kind in PER_MINUTE}

    def take(self, kind: Kind) -> int | None:
        """Count one send. Returns ``None``, or the seconds to wait if the window is full."""
        now, taken = self._clock(), self._taken[kind]
        while taken and taken[0] <= now - WINDOW_SECONDS:
            taken.popleft()
        if len(taken) >= PER_MINUTE[kind]:
            return max(1, math.ceil(taken[0] + WINDOW_SECONDS - now))
        taken.append(now)
        return None

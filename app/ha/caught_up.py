"""Up to which row of the spool the copy of the leader's database has caught up, by no wall clock.

What the leader had long before that and the copy lacks was never committed there, or a guest was
erased since. The wall clocks of the two machines can't say so: either may be days ahead.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

from app import steady
from app.ha.spool import CaughtUp, Spool
from app.store.database import now_ms

# What the leader mirrors it commits meanwhile, and long before so much has gone by.
LONG_AFTER: Final = timedelta(minutes=5)


class LeadersBeat(NamedTuple):
    """The newest beat of a leader's database, and its term, as it told them a moment ago."""

    term: int
    beat: int


@dataclass(frozen=True)
class _Line:
    """Drawn under the spool at ``drawn`` (steady)."""

    row_id: int
    at: int
    drawn: float


class CatchingUp:
    """Draws a line under the spool, waits until all above it is surely committed, asks the leader
    for its beat, and waits until the copy has that beat; then anew."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._line: _Line | None = None
        self._awaited: LeadersBeat | None = None

    def tend(self, told: LeadersBeat | None) -> None:
        """Each second. ``told``: None while the leader isn't heard of."""
        if self._line is None:
            self._line = _Line(self._spool.last_id(), now_ms(), steady.now())
        is_old = steady.now() - self._line.drawn >= LONG_AFTER.total_seconds()
        if not is_old or told is None:
            return
        if self._awaited is None or self._awaited.term < told.term:
            self._awaited = told

    def copied(self, copied: LeadersBeat) -> None:
        """What the copy has now."""
        line, awaited = self._line, self._awaited
        if line is None or awaited is None or copied.term != awaited.term:
            return
        if copied.beat >= awaited.beat:
            self._spool.note(CaughtUp(line.row_id, line.at, copied.term))
            self._line = self._awaited = None

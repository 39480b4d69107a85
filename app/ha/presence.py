"""Whether the gateway and the worker of this machine serve: without them it can't lead.

One that ends as soon as it is started is there for a moment each time: it counts as gone until it
has stayed.
"""

from datetime import timedelta
from pathlib import Path
from typing import Final

from app import steady
from app.work.programs import Program, serves

# Longer than a program lives that ends as soon as it serves.
STAYED: Final = timedelta(seconds=3)


class Presence:
    """Which are gone, as of the last :meth:`look`; ``directory``: the node's."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._here_since: dict[Program, float] = {}
        self._gone_since: dict[Program, float] = {}

    def look(self) -> None:
        """Each turn."""
        if not self._directory.exists():
            return
        now = steady.now()
        for program in Program:
            if not serves(self._directory, program):
                self._here_since.pop(program, None)
                self._gone_since.setdefault(program, now)
            elif now - self._here_since.setdefault(program, now) >= STAYED.total_seconds():
                self._gone_since.pop(program, None)

    @property
    def gone(self) -> tuple[Program, ...]:
        """Those that don't serve, or not for long enough."""
        return tuple(self._gone_since)

    @property
    def gone_for(self) -> timedelta:
        """How long the first of them has been."""
        since = min(self._gone_since.values(), default=None)
        return timedelta(seconds=0 if since is None else steady.now() - since)

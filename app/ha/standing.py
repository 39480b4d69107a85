"""How this machine stands, written by its node's threads: one at a time, always whole."""

import threading
from dataclasses import replace
from pathlib import Path

from app.leading import Kept, Role, Standing, keep


class OwnStanding:
    """The standing that the node keeps in ``path``; it begins with what an earlier node left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._now = Kept(path).standing()

    @property
    def now(self) -> Standing:
        """As it was last written."""
        return self._now

    def become(self, standing: Standing) -> None:
        """Stand so from now on."""
        with self._lock:
            self._now = standing
            keep(self._path, standing)

    def extend(self, term: int, valid_until: float) -> None:
        """The lease lasts longer; says nothing where this machine doesn't lead in ``term``."""
        with self._lock:
            if self._now.role is Role.STANDBY or self._now.term != term:
                return
            self._now = replace(self._now, valid_until=valid_until)
            keep(self._path, self._now)

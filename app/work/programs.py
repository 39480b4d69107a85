"""Which of the desk's programs serve on this machine: each holds a lock for as long as it does.

Its node looks (`app.ha.presence`). The kernel lets go of the lock of a process that ends, however
it ends; one that hangs still has it.
"""

from enum import StrEnum
from pathlib import Path

from app.store.users import Use, in_use


class Program(StrEnum):
    """What guests are answered by, beside the node."""

    GATEWAY = "gateway"
    WORKER = "worker"


class Serving:
    """That this process serves as the program; not yet, at first. Of a machine without another
    nobody asks."""

    def __init__(self, directory: Path, program: Program) -> None:
        self._path = directory / program
        self._use: Use | None = None

    def begin(self) -> None:
        """It serves from now on; once more changes nothing."""
        if self._use is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._use = Use(self._path)

    def end(self) -> None:
        """It doesn't, any more."""
        if self._use is not None:
            self._use.end()
        self._use = None


def serves(directory: Path, program: Program) -> bool:
    """Whether any process serves as the program; ``directory``: the node's."""
    return in_use(directory / program)

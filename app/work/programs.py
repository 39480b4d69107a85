"""Which of the desk's programs run on this machine: each holds a lock for as long as it serves.

Its node looks (`app.ha.presence`). The kernel lets go of the lock of a process that ends, however
it ends; one that hangs still has it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from app.settings import Settings
from app.store.users import in_use, using


class Program(StrEnum):
    """What guests are answered by, beside the node."""

    GATEWAY = "gateway"
    WORKER = "worker"


@contextmanager
def running(settings: Settings, program: Program) -> Iterator[None]:
    """It serves meanwhile. Of a machine without another nobody asks."""
    if not settings.ha_authority:
        yield
        return
    settings.ha_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with using(settings.ha_directory / program):
        yield


def runs(directory: Path, program: Program) -> bool:
    """Whether it serves; ``directory``: the node's."""
    return in_use(directory / program)

"""One backup, drill or restore at a time on a machine: whoever comes second waits."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def _in_silence() -> None:
    """Nobody is told."""


@contextmanager
def locked(directory: Path, waits: Callable[[], None] = _in_silence) -> Iterator[None]:
    """Have what ``directory`` is for to oneself; ``waits`` is called if another has it.

    The kernel lets go of the lock of a process that ends, however it ends.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield

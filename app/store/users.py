"""Who has the database file open for work: each holds a shared lock on a file beside it.

A machine that stops to lead moves the file away; it may do so once nobody works with it any more.
The kernel lets go of the lock of a process that ends, however it ends.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

# How often to look: a user is waited for at a switchover, where guests wait too.
_LOOK: Final = 0.02


class Use:
    """One use of the file at ``path``, from now until :meth:`end`, or until nobody knows it."""

    _file = -1

    def __init__(self, path: Path) -> None:
        self._file = _open(path)
        # Nobody holds it alone for longer than it takes to ask whether anybody has it.
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def end(self) -> None:
        """Let go of the file; once more changes nothing."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def __del__(self) -> None:
        self.end()


@contextmanager
def using(path: Path) -> Iterator[None]:
    """Use the file at ``path`` meanwhile: it stays where it is."""
    use = Use(path)
    try:
        yield
    finally:
        use.end()


def in_use(path: Path) -> bool:
    """Whether anybody, this process included, has the file at ``path`` open for work."""
    file = _open(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def wait_until_unused(path: Path, timeout: timedelta) -> bool:
    """Wait until nobody has the file at ``path`` open for work; False if somebody still has."""
    deadline = time.monotonic() + timeout.total_seconds()
    while in_use(path):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK)
    return True


def _open(path: Path) -> int:
    # For reading, which is enough for a lock: also where another user's process made it.
    return os.open(path.with_name(f"{path.name}.users"), os.O_RDONLY | os.O_CREAT, 0o644)

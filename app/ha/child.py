"""A program that this process starts, and of which there is never more than one.

Not even when this process is killed and started again: the program inherits a locked descriptor, so
the lock lasts as long as the program does, and the file that is locked says its pid. Whoever starts
the next one ends what is left over.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from app import steady

# How long something left over may take to end by itself, and then to be gone.
_BOUND: Final = timedelta(seconds=3)
_LOOK: Final = 0.01
_MOST_LOG: Final = 1_000_000
# The pid is written by what becomes the program: there is no moment at which it runs and the file
# names another.
_START: Final = 'echo $$ > "$0" && exec "$@"'


class ChildError(Exception):
    """The program can't be started or ended; the message says what to do."""


class Patience:
    """How long to wait before the next try: ``first``, doubled with each :meth:`lost`, ``most``."""

    def __init__(self, first: timedelta, most: timedelta) -> None:
        self._first = first.total_seconds()
        self._most = most.total_seconds()
        self.won()

    def won(self) -> None:
        """It went well: the next time, begin with ``first``."""
        self._wait = self._first
        self._until = steady.now()

    def lost(self) -> None:
        """Wait from now on, twice as long as the last time."""
        self._until = steady.now() + self._wait
        self._wait = min(2 * self._wait, self._most)

    def is_over(self) -> bool:
        """Whether to try again."""
        return steady.now() >= self._until


class Child:
    """``command``, run in ``directory`` with ``env`` and nothing else; its output goes to ``log``.

    Two with the same ``name`` and ``directory`` are one: starting the second ends the first.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        command: Sequence[str],
        env: Mapping[str, str],
        log: Path,
    ) -> None:
        self._lock = directory / f"{name}.lock"
        self._directory = directory
        self._command = command
        self._env = env
        self._log = log
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; what an earlier process left over is ended before. Raises ChildError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _end_leftover(descriptor, self._lock)
            os.ftruncate(descriptor, 0)
            self._popen = self._spawn(descriptor)
        finally:
            # From here on the program alone holds the lock.
            os.close(descriptor)

    def is_alive(self) -> bool:
        """Whether it was started by this process and runs."""
        return self._popen is not None and self._popen.poll() is None

    def ended(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs, or if it never did."""
        return self._popen.poll() if self._popen is not None else None

    def stop(self, within: timedelta) -> None:
        """SIGTERM; SIGKILL if it isn't gone after ``within``. Raises ChildError if even that fails.

        Does nothing if it doesn't run.
        """
        if self._popen is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self._popen.terminate()
            self._popen.wait(within.total_seconds())
            return
        with suppress(subprocess.TimeoutExpired):
            self._popen.kill()
            self._popen.wait(_BOUND.total_seconds())
            return
        raise ChildError(f"{self._popen.pid} is deaf to SIGKILL: its disk hangs; restart the host")

    def last_words(self) -> str:
        """The last line of its log."""
        if not self._log.exists():
            return ""
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - 2000))
            lines = log.read().decode(errors="replace").splitlines()
        return lines[-1] if lines else ""

    def _spawn(self, descriptor: int) -> "subprocess.Popen[bytes]":
        _rotate(self._log)
        try:
            with self._log.open("ab") as out:
                return subprocess.Popen(  # noqa: S603 - ours
                    ["/bin/sh", "-c", _START, str(self._lock), *self._command],
                    cwd=self._directory,
                    env=self._env,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    pass_fds=(descriptor,),
                )
        except OSError as error:
            raise ChildError(f"{self._command[0]} can't be started: {error}") from error


def _end_leftover(descriptor: int, lock: Path) -> None:
    if _is_taken(descriptor, timedelta(0)):
        return
    for signum in (signal.SIGTERM, signal.SIGKILL):
        _signal(lock, signum)
        if _is_taken(descriptor, _BOUND):
            return
    raise ChildError(
        f"{lock} is held by process {_pid(lock) or '(unknown)'}, which can't be ended: end it by "
        "hand, then this starts by itself"
    )


def _is_taken(descriptor: int, within: timedelta) -> bool:
    """Whether the lock could be had in that time. Polled: a lock has no timeout."""
    deadline = time.monotonic() + within.total_seconds()
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK)


def _signal(lock: Path, signum: signal.Signals) -> None:
    pid = _pid(lock)
    if pid is None:
        return
    with suppress(ProcessLookupError):
        try:
            os.kill(pid, signum)
        except PermissionError as error:
            raise ChildError(f"process {pid} of another user holds {lock}: end it") from error


def _pid(lock: Path) -> int | None:
    text = lock.read_text().strip()
    return int(text) if text.isdigit() else None


def _rotate(log: Path) -> None:
    """Keep one log before this one, once it is large: it is looked at when something is wrong."""
    if log.exists() and log.stat().st_size > _MOST_LOG:
        log.replace(log.with_name(f"{log.name}.1"))

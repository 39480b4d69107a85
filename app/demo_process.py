"""The demo's child processes: their logs in one file, and an orderly end."""

import contextlib
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

# Enough of a traceback to see what went wrong.
TAIL_LINES = 20
# A worker finishes the message it has in hand, which may wait for an answer of Spoki (10 s).
STOP_SECONDS = 15.0


class LogFile:
    """One file for the logs of all, each line with its origin in front."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._file: IO[str] | None = None

    def __enter__(self) -> "LogFile":
        self._file = self.path.open("a", encoding="utf-8", buffering=1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def write(self, origin: str, line: str) -> None:
        """Add a line; after the end it is dropped."""
        with self._lock:
            if self._file is not None:
                self._file.write(f"{origin:<8} {line}\n")


class Child:
    """One child process. ``ended`` is set when it ends, whatever the reason."""

    def __init__(  # noqa: PLR0913 - a process is described by this much
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: LogFile,
        ended: threading.Event,
        *,
        given: str = "",
        ready_word: str | None = None,
    ) -> None:
        self.name = name
        self.ready = threading.Event()
        self._command = list(command)
        self._environment = dict(environment)
        self._log = log
        self._ended = ended
        self._given = given
        self._ready_word = ready_word
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._process: subprocess.Popen[str] | None = None
        self._reader = threading.Thread(target=self._read, name=f"log of {name}", daemon=True)

    def start(self) -> None:
        """Start it, in a session of its own: Ctrl-C is for us, who end the children in order."""
        self._process = subprocess.Popen(  # noqa: S603 - our own programs
            self._command,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._reader.start()
        # One that ended at once doesn't read; its exit is noticed by the reader.
        with contextlib.suppress(BrokenPipeError):
            self._write_input(self._process)

    def exit_code(self) -> int | None:
        """Its exit code, or ``None`` while it runs."""
        return self._process.poll() if self._process else None

    def tail(self) -> str:
        """Its last lines."""
        return "\n".join(f"  {line}" for line in self._tail)

    def stop(self) -> None:
        """SIGTERM; SIGKILL if it doesn't end."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(STOP_SECONDS)

    def _write_input(self, process: "subprocess.Popen[str]") -> None:
        if process.stdin is None:
            return
        with process.stdin as stream:
            stream.write(self._given)

    def _read(self) -> None:
        process = self._process
        if process is None or process.stdout is None:
            return
        for line in process.stdout:
            stripped = line.rstrip("\n")
            self._tail.append(stripped)
            self._log.write(self.name, stripped)
            if self._ready_word is not None and self._ready_word in stripped:
                self.ready.set()
        process.wait()
        self._ended.set()

"""The journal of a node: which steps it took to lead, to hand over, to stand by, and how long.

JSON lines in ``<ha_directory>/journal.jsonl``, written by the node alone, read by ``portiere ha``.
A line may be torn by a power cut: whoever reads leaves it out, whoever writes begins a new one.
"""

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from app import steady
from app.durable import sync
from app.settings import Settings

log = structlog.get_logger()
# Some thousand steps: years of a house whose power is cut once a week.
LARGEST: Final = 1_000_000  # bytes; then a new file is begun, and the last one kept
_LONGEST_NOTE: Final = 300  # characters


class State(StrEnum):
    """How a step stands."""

    BEGAN = "began"
    DONE = "done"
    FAILED = "failed"


class Entry(BaseModel):
    """A line. ``at`` is aware, ``steady_at`` the seconds of `app.steady` in this ``boot``; a note
    names no guest."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    at: datetime
    steady_at: float
    boot: str
    procedure: str
    run: str
    term: int
    step: int
    name: str
    state: State
    took_ms: int | None = None
    note: str | None = None

    @property
    def age(self) -> timedelta | None:
        """How long ago it was written; None: in an earlier boot."""
        if self.boot != steady.boot():
            return None
        return timedelta(seconds=max(0.0, steady.now() - self.steady_at))


class Past(BaseModel):
    """A run of a procedure as the journal has it: the last entry of each step, in their order."""

    model_config = ConfigDict(frozen=True)

    run: str
    procedure: str
    term: int
    began_at: datetime
    steps: tuple[Entry, ...]

    @property
    def took(self) -> timedelta:
        """What its steps took."""
        return timedelta(milliseconds=sum(step.took_ms or 0 for step in self.steps))

    @property
    def state(self) -> State:
        """That of its last step."""
        return self.steps[-1].state


class Step:
    """A step under way; ``note`` is written down when it ends."""

    def __init__(self) -> None:
        self.note: str | None = None


def journal_file(settings: Settings) -> Path:
    """Where the node of these settings writes its journal."""
    return settings.ha_directory / "journal.jsonl"


class Journal:
    """The journal in ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._old = path.with_name(f"{path.name}.1")
        self._writing = threading.Lock()

    def run(self, procedure: str, term: int, run: str | None = None) -> "Run":
        """A run of ``procedure`` (takeover, switchover, rejoin …) on the way to or in ``term``.

        ``run``: the id of one that is gone on with.
        """
        return Run(self, procedure, term, run or f"{procedure}-{term}-{secrets.token_hex(4)}")

    def entries(self) -> list[Entry]:
        """All that is kept, the oldest first; lines that are torn are left out."""
        lines = [line for path in (self._old, self._path) for line in _lines(path)]
        return [entry for line in lines if (entry := _entry(line)) is not None]

    def runs(self, limit: int) -> list[Past]:
        """The last runs, the newest first."""
        runs: dict[str, dict[int, Entry]] = {}
        began: dict[str, datetime] = {}
        for entry in self.entries():
            began.setdefault(entry.run, entry.at)
            runs.setdefault(entry.run, {})[entry.step] = entry
        newest = list(runs)[::-1][:limit]
        return [_past(run, began[run], list(runs[run].values())) for run in newest]

    def write(self, entry: Entry, *, durable: bool) -> None:
        """Append a line; ``durable``: on the disk when this returns."""
        line = entry.model_dump_json(exclude_none=True).encode() + b"\n"
        with self._writing:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size + len(line) > LARGEST:
                self._path.replace(self._old)
            with self._path.open("ab+") as file:
                if _is_torn(file.fileno()):
                    line = b"\n" + line
                file.write(line)
                file.flush()
                if durable:
                    sync(file.fileno())


class Run:
    """A run of a procedure, step by step."""

    def __init__(self, journal: Journal, procedure: str, term: int, run: str) -> None:
        self._journal = journal
        self._procedure = procedure
        self._open = False
        self.term = term
        self.run = run

    @contextmanager
    def step(self, number: int, name: str) -> Iterator[Step]:
        """Log and write down that a step began, and that it is done or, if it raises, failed.

        Steps don't nest. What it raised goes on.
        """
        if self._open:
            raise RuntimeError(f"step {number} ({name}) within another step")
        began, step = steady.now(), Step()
        self._open = True
        self._write(number, name, State.BEGAN)
        try:
            yield step
        except BaseException as error:
            self._write(number, name, State.FAILED, began, _reason(error))
            raise
        else:
            self._write(number, name, State.DONE, began, step.note)
        finally:
            self._open = False

    def _write(
        self,
        number: int,
        name: str,
        state: State,
        began: float | None = None,
        note: str | None = None,
    ) -> None:
        now = steady.now()
        entry = Entry(
            at=datetime.now(UTC),
            steady_at=now,
            boot=steady.boot(),
            procedure=self._procedure,
            run=self.run,
            term=self.term,
            step=number,
            name=name,
            state=state,
            took_ms=None if began is None else round((now - began) * 1000),
            note=note and note[:_LONGEST_NOTE],
        )
        self._journal.write(entry, durable=state is not State.BEGAN)
        told = log.error if state is State.FAILED else log.info
        told(
            f"ha_step_{state}",
            **entry.model_dump(include={"procedure", "run", "term", "step", "name"}),
            **entry.model_dump(include={"took_ms", "note"}, exclude_none=True),
        )


def _reason(error: BaseException) -> str:
    """What went wrong; without the values that a check of data would repeat."""
    kind = type(error).__name__
    if isinstance(error, ValidationError) or not str(error):
        return kind
    return f"{kind}: {error}"


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []


def _entry(line: bytes) -> Entry | None:
    try:
        return Entry.model_validate_json(line)
    except ValidationError:
        return None


def _is_torn(file: int) -> bool:
    size = os.fstat(file).st_size
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"


def _past(run: str, began: datetime, entries: list[Entry]) -> Past:
    steps = tuple(sorted(entries, key=lambda entry: entry.step))
    first = steps[0]
    return Past(run=run, procedure=first.procedure, term=first.term, began_at=began, steps=steps)

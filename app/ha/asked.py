"""What a person asks of the node: ``portiere ha`` writes it down, the node does it and answers.

One request at a time: ``asked.json`` in the node's directory is there from asking until it is
answered in ``answered.json``. One that nobody took up (the node was off) is void after a while, and
after a boot: a failover that was wanted an hour ago is no failover that is wanted now.
"""

import fcntl
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app import steady
from app.durable import write_durably

# Longer than a node takes to come up, shorter than it takes to forget what one asked for.
VOID_AFTER: Final = timedelta(minutes=10)
_LOOK: Final = 0.1  # seconds
T = TypeVar("T", bound=BaseModel)


class Verb(StrEnum):
    """What can be asked for (docs/failover.md)."""

    FAILOVER = "failover"
    SWITCHOVER = "switchover"
    REJOIN = "rejoin"
    RESTORE = "restore"


class AskedError(Exception):
    """It can't be asked now; the message says why and what to do."""


class Request(BaseModel):
    """What is asked. ``to``: who shall lead; ``force``: though the other's time isn't over;
    ``stays``: how long the preferred node then doesn't want the lead back by itself.

    To restore: ``database`` and ``redis`` are what was fetched and checked, either may be missing;
    ``why`` says what they are, ``replay`` whether what came in since is taken in again, ``term``
    the highest of which there is anything.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = Field(default_factory=lambda: secrets.token_hex(8))
    verb: Verb
    to: str | None = None
    force: bool = False
    stays: timedelta = timedelta(0)
    database: Path | None = None
    redis: Path | None = None
    why: str = ""
    replay: bool = True
    term: int = 0
    by: str
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    steady_at: float = Field(default_factory=steady.now)
    boot: str = Field(default_factory=steady.boot)

    @property
    def is_void(self) -> bool:
        """Whether it is of another boot, or too old to be begun."""
        age = steady.now() - self.steady_at
        return self.boot != steady.boot() or age > VOID_AFTER.total_seconds()


class Outcome(StrEnum):
    """How a request ended."""

    DONE = "done"
    NOTHING_TO_DO = "nothing_to_do"
    FAILED = "failed"


class Answered(BaseModel):
    """The node's answer to the request of this id; the message is for the person who asked."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    outcome: Outcome
    message: str


def ask(directory: Path, request: Request) -> None:
    """Put it before the node.

    :raises AskedError: if another request is under way.
    """
    with _locked(directory):
        if (other := _pending(directory)) is not None:
            raise AskedError(
                f"{other.verb} was asked for by {other.by} and is under way. "
                "Wait until it is over: portiere ha status."
            )
        _put(directory / "asked.json", request)


def pending(directory: Path) -> Request | None:
    """What is asked for and not answered yet. The node does it, then it calls :func:`answer`."""
    if not (directory / "asked.json").exists():
        return None  # each second, without the lock
    with _locked(directory):
        return _pending(directory)


def answer(directory: Path, request_id: str, outcome: Outcome, message: str) -> None:
    """Say how it ended, and be open for the next one."""
    with _locked(directory):
        _put(directory / "answered.json", Answered(id=request_id, outcome=outcome, message=message))
        # Killed here: the request stands there, but its answer does, too.
        _pending(directory)


def await_answer(directory: Path, request_id: str, timeout: timedelta) -> Answered | None:
    """The answer to a request, as soon as it is there; None if it isn't within ``timeout``."""
    until = steady.now() + timeout.total_seconds()
    while (found := answered(directory, request_id)) is None and steady.now() < until:
        time.sleep(_LOOK)
    return found


def answered(directory: Path, request_id: str) -> Answered | None:
    """The answer to a request, if it is there."""
    found = _read(directory / "answered.json", Answered)
    return found if found is not None and found.id == request_id else None


def _pending(directory: Path) -> Request | None:
    path = directory / "asked.json"
    request = _read(path, Request)
    if request is None or request.is_void or answered(directory, request.id) is not None:
        path.unlink(missing_ok=True)
        return None
    return request


def _put(path: Path, content: BaseModel) -> None:
    write_durably(path, content.model_dump_json())


def _read(path: Path, model: type[T]) -> T | None:
    try:
        return model.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Two people who ask at once, and the node that answers: one after the other."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "asked.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

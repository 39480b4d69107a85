"""What a failure means: tried again and when, or over; and what may be told of it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx
from dramatiq.common import compute_backoff
from dramatiq.middleware import TimeLimitExceeded
from pydantic import ValidationError
from sqlalchemy.exc import ProgrammingError

from cloud_jobs.runtime.job import FatalError, RetryableError

SHORTEST_WAIT: Final = timedelta(seconds=1)
LONGEST_WAIT: Final = timedelta(minutes=5)
# What is wrong in the code, the payload or the schema is as wrong the next time.
_WRONG: Final = (
    FatalError,
    ValidationError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    NotImplementedError,
    TypeError,
    ValueError,
    httpx.InvalidURL,
    httpx.UnsupportedProtocol,
    ProgrammingError,
)


@dataclass(frozen=True)
class Verdict:
    """``again``: another attempt may work, not before ``after``; ``text`` is safe to be shown."""

    kind: str
    text: str
    again: bool
    after: timedelta | None = None


def judge(error: BaseException) -> Verdict:
    """What an error means.

    Again: :class:`RetryableError`, what took too long, and whatever isn't known to be wrong for
    good (the network, the store, a library's own errors). Its text is told only of our own errors,
    which name no guest; of any other the class alone, for its text may quote what it was given.
    """
    kind = type(error).__name__
    match error:
        case RetryableError():
            return Verdict(kind, str(error), again=True, after=error.after)
        case TimeLimitExceeded():
            return Verdict(kind, "it took longer than its time limit", again=True)
        case ValidationError():
            return Verdict(kind, _fields(error), again=False)
        case FatalError():
            return Verdict(kind, str(error), again=False)
    return Verdict(kind, kind, again=not isinstance(error, _WRONG))


def wait_before(attempt: int, after: timedelta | None) -> timedelta:
    """How long to wait after attempt number ``attempt`` (from 1): 1 to 2 s, doubled each time."""
    _, milliseconds = compute_backoff(
        attempt - 1,
        factor=SHORTEST_WAIT // timedelta(milliseconds=1),
        max_backoff=LONGEST_WAIT // timedelta(milliseconds=1),
    )
    return max(timedelta(milliseconds=milliseconds), after or timedelta(0))


def _fields(error: ValidationError) -> str:
    """Which fields are wrong and how, without their values."""
    wrong = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in wrong)

"""Asking the cloud until it answers: how long to wait, and what to say meanwhile."""

import threading
from collections.abc import Callable
from datetime import timedelta

import structlog
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_when_event_set,
    wait_random_exponential,
)

from app.store.database import DatabaseError

log = structlog.get_logger()


class CloudError(Exception):
    """The cloud didn't do what it was asked, and why; ``after``: when to ask again, if it said."""

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


def patiently(
    event: str,
    stopping: threading.Event,
    rest: Callable[[float], None],
    first: timedelta,
    longest: timedelta,
) -> Retrying:
    """Asks again until the cloud answers and the database takes it, or ``stopping`` is set.

    Between two attempts it rests for as long as the cloud said, else for a random time below a
    bound that doubles from ``first`` (full jitter); never for longer than ``longest``. Each is
    logged as ``event``. What was raised last is raised once it is stopped.
    """
    backoff = wait_random_exponential(multiplier=first.total_seconds(), max=longest.total_seconds())

    def wait(state: RetryCallState) -> float:
        error = _error(state)
        if isinstance(error, CloudError) and error.after is not None:
            return min(error.after, longest).total_seconds()
        return backoff(state)

    def say(state: RetryCallState) -> None:
        error = _error(state)
        log.warning(
            event,
            reason=str(error) if isinstance(error, CloudError) else type(error).__name__,
            attempts=state.attempt_number,
            again_in=round(state.upcoming_sleep, 1),
        )

    return Retrying(
        retry=retry_if_exception_type((CloudError, DatabaseError)),
        stop=stop_when_event_set(stopping),
        wait=wait,
        sleep=rest,
        before_sleep=say,
        reraise=True,
    )


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None

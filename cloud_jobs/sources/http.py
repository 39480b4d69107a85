"""How any outside service is asked over HTTP: its timeouts, its retries, and what its errors are.

The errors are the runtime's own: a refusal ends the run, what may pass has it tried again later. No
message of theirs has more than the service's name, the status and the kind of error: a key may be
in the address, and a guest in the answer.
"""

import logging
import ssl
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from app.retry_after import LONGEST_RETRY_AFTER, retry_after
from cloud_jobs.runtime.job import FatalError, RetryableError

M = TypeVar("M", bound=BaseModel)
Params = Mapping[str, str | int]
# Each by itself: to connect, between two parts of an answer, of a question, and for a connection
# of the pool to be free.
TIMEOUT: Final = httpx.Timeout(connect=3, read=15, write=5, pool=5)
ATTEMPTS: Final = 3
# What a worker's thread waits for itself. For longer the run is put back instead.
LONGEST_WAIT: Final = timedelta(seconds=5)
# After a 429 that doesn't say how long: limits are by the minute.
TOO_MANY_WAIT: Final = timedelta(minutes=1)
# A page of a hundred reservations is a tenth of it.
LARGEST_ANSWER: Final = 4_000_000
# Smoobu says it by a header of its own.
_WAIT_HEADERS: Final = ("X-RateLimit-Retry-After",)
_KEY_REFUSED: Final = (401, 403)
# As a wait this would be three years.
_EPOCH_SECONDS: Final = 100_000_000


class RefusedError(FatalError):
    """The service refuses the question (``status``, below 500): asked again it would again."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status

    @property
    def is_about_key(self) -> bool:
        """Whether no other question would be answered either."""
        return self.status in _KEY_REFUSED


class UnavailableError(RetryableError):
    """The service can't be reached, is ill, or wants to be asked later (``after``)."""


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities, read once: it takes longer than most questions."""
    return httpx.create_ssl_context()


class Service:
    """One outside service, called ``name`` in errors; for one run, in one thread.

    ``attempts``: how often one question is asked before it is given up; 1 where each is counted.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        auth: httpx.Auth | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.name = name
        self._client = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers=headers,
            auth=auth,
            timeout=TIMEOUT,
            verify=_trusted(),
        )
        self._retrying = Retrying(
            retry=retry_if_exception(_passes_soon),
            stop=stop_after_attempt(attempts),
            wait=_wait,
            reraise=True,
        )

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, params: Params, model: type[M]) -> M:
        """The answer, read as ``model``.

        Raises :class:`RefusedError`, and :class:`UnavailableError` for what can't be read too.
        """
        content = self._retrying(self._get, path, params)
        try:
            return model.model_validate_json(content)
        except ValidationError as error:
            fields = sorted({".".join(map(str, one["loc"])) for one in error.errors()})[:5]
            raise UnavailableError(
                f"{self.name}'s answer can't be read: {', '.join(fields)}"
            ) from None

    def _get(self, path: str, params: Params) -> bytes:
        try:
            with self._client.stream("GET", path, params=params) as answer:
                self._judge(answer)
                return self._whole(answer)
        except httpx.HTTPError as error:
            raise UnavailableError(f"{self.name} can't be asked ({type(error).__name__})") from None

    def _judge(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if answer.is_success:
            return
        if status == httpx.codes.TOO_MANY_REQUESTS:
            wait = asked_to_wait(answer.headers)
            raise UnavailableError(
                f"{self.name} answers {status}", TOO_MANY_WAIT if wait is None else wait
            )
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise UnavailableError(f"{self.name} answers {status}", asked_to_wait(answer.headers))
        hint = ": look at its key in the settings" if status in _KEY_REFUSED else ""
        raise RefusedError(f"{self.name} refuses ({status}){hint}", status)

    def _whole(self, answer: httpx.Response) -> bytes:
        content = bytearray()
        for part in answer.iter_bytes():
            content += part
            if len(content) > LARGEST_ANSWER:
                raise UnavailableError(f"{self.name}'s answer is too large")
        return bytes(content)


def asked_to_wait(headers: httpx.Headers) -> timedelta | None:
    """How long the service wants to be left alone, by the standard's header or by its own.

    A number that is too large for seconds from now is the moment itself (seconds since 1970).
    """
    if (standard := retry_after(headers)) is not None:
        return standard
    own = next((headers[name].strip() for name in _WAIT_HEADERS if name in headers), "")
    if not (own.isascii() and own.isdigit()):
        return None
    return min(_from_now(int(own[:12])), LONGEST_RETRY_AFTER)


def _from_now(seconds: int) -> timedelta:
    if seconds < _EPOCH_SECONDS:
        return timedelta(seconds=seconds)
    return max(timedelta(seconds=seconds - time.time()), timedelta(0))


def _passes_soon(error: BaseException) -> bool:
    if not isinstance(error, UnavailableError):
        return False
    return error.after is None or error.after <= LONGEST_WAIT


_backoff: Final = wait_random_exponential(multiplier=0.2, max=LONGEST_WAIT.total_seconds())


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, UnavailableError) and error.after is not None:
        return error.after.total_seconds()
    return _backoff(state)


class _WithoutQuery(logging.Filter):
    """httpx logs whole addresses, at a level that somebody may ask for: OpenWeather's has its key.

    Here, not where logs are set up: who uses this client is safe whatever else they forget.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                str(part.copy_with(query=None)) if isinstance(part, httpx.URL) else part
                for part in record.args
            )
        return True


logging.getLogger("httpx").addFilter(_WithoutQuery())

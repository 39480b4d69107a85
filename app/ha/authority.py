"""Asking the authority for the lease: over the private link, else by the public name."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import httpx
from pydantic import BaseModel, ValidationError

from app import lease
from app.lease import Answer, Asked
from app.signing import SignedAuth

# An answer is a look at one row. Two ways, one after the other, must fit between two renewals.
CONNECT_TIMEOUT: Final = timedelta(seconds=1.5)
TIMEOUT: Final = timedelta(seconds=3)
# RFC 9457. The node loads no web framework to read one (`app.web.problems` writes them).
_PROBLEM: Final = "application/problem+json"


class UnreachableError(Exception):
    """The authority can't be reached by any way; the message says what each way came to."""


class RefusedError(UnreachableError):
    """The authority is there and won't hear this node: its clock is wrong, or its key. So the other
    node may be given the lease as soon as it is over."""


class _Problem(BaseModel):
    detail: str


class Authority:
    """The cloud layer's API, at ``urls`` (the first that answers is asked), as ``node``."""

    def __init__(self, urls: Sequence[str], node: str, key: bytes) -> None:
        timeout = httpx.Timeout(TIMEOUT.total_seconds(), connect=CONNECT_TIMEOUT.total_seconds())
        self._clients = [
            httpx.Client(base_url=url, auth=SignedAuth(node, key), timeout=timeout) for url in urls
        ]

    def ask(self, asked: Asked) -> tuple[Answer, int]:
        """The answer, and by which of the ways it came (0 is the first).

        Raises :class:`UnreachableError`, :class:`RefusedError` where it is known to be there. A
        lost answer may have been a grant: ask again.
        """
        body = asked.model_dump_json().encode()
        failures: list[str] = []
        is_there = False
        for way, client in enumerate(self._clients):
            try:
                return _post(client, body), way
            except (httpx.HTTPError, ValidationError) as error:
                refusal = _refusal(error)
                is_there = is_there or refusal is not None
                failures.append(f"{client.base_url.host}: {refusal or _said(error)}")
        raise (RefusedError if is_there else UnreachableError)("; ".join(failures))

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            client.close()


def _post(client: httpx.Client, body: bytes) -> Answer:
    response = client.post(lease.PATH, content=body, headers={"Content-Type": "application/json"})
    response.raise_for_status()
    return Answer.model_validate_json(response.content)


def _refusal(error: Exception) -> str | None:
    """What the authority itself says against it; None: it needn't be there. By the public name
    others answer while it is gone, with 502 and 530, in words of their own."""
    if not isinstance(error, httpx.HTTPStatusError) or not error.response.is_client_error:
        return None
    if error.response.headers.get("Content-Type") != _PROBLEM:
        return None
    try:
        return _Problem.model_validate_json(error.response.content).detail
    except ValidationError:
        return None


def _said(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP {error.response.status_code}"
    return type(error).__name__

"""A request and its answer, as the services see them."""

import json
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, Protocol
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Asked:
    """One request. ``query`` is as it was sent."""

    method: str
    path: str
    query: str
    headers: Message
    body: bytes

    @property
    def params(self) -> dict[str, str]:
        """The query's pairs."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def json(self) -> Any:
        """The body, parsed; an empty one as an object."""
        return json.loads(self.body or b"{}")


@dataclass(frozen=True)
class Answer:
    """``body`` as JSON; None: empty."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class OutageError(Exception):
    """The connection is cut instead of an answer."""


class Service(Protocol):
    """One of the three. ``calls`` counts the requests that it answered with 200."""

    name: str
    prefix: str
    calls: int

    def answer(self, asked: Asked) -> Answer:
        """Answer a request."""


def unknown(asked: Asked, known: set[str]) -> list[str]:
    """The query's parameters that aren't among the known."""
    return sorted(set(asked.params) - known)

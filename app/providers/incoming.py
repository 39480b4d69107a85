"""What every provider's webhooks have in common: a signature, and one or more events."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import ValidationError

from app.messages.events import Event


class SignatureError(Exception):
    """The signature is missing, malformed, old or wrong; the message says which."""


class EnvelopeError(ValueError):
    """The body is not what the provider sends; the message says what is wrong with it."""


@dataclass(frozen=True)
class Kept:
    """An event and what the inbox keeps of it: a body that is this event and no other."""

    event: Event
    body: bytes


# (header's value, raw body, secrets, now in unix seconds); raises SignatureError.
Verify: TypeAlias = Callable[[str | None, bytes, Sequence[str], float], None]


@dataclass(frozen=True)
class Webhook:
    """How one provider's webhooks are taken.

    ``read`` raises :class:`EnvelopeError`, and so does ``parse``, which reads a body that ``read``
    has made. ``largest_body`` is in bytes.
    """

    path: str
    header: str
    largest_body: int
    verify: Verify
    read: Callable[[bytes], list[Kept]]
    parse: Callable[[bytes], Event]


def first_mistake(error: ValidationError) -> str:
    """Where the first mistake is and what it is, without the value: that may be a guest's."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where or 'body'}: {first['msg']}"

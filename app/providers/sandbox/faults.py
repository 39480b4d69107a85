"""Faults that can be switched on, each for good or for the next ``count`` times, or every n-th."""

from collections import Counter
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field


class Fault(BaseModel):
    """A fault; without ``count`` it stays on until it is switched off.

    ``every``: it happens at the first of so many times, and not at the others.
    """

    model_config = ConfigDict(extra="forbid")

    count: Annotated[int, Field(ge=1)] | None = None
    every: Annotated[int, Field(ge=1)] | None = None


class Refuse(Fault):
    """The connection is closed before anything is accepted."""


class Slow(Fault):
    """The send is accepted and answered late; a client that gave up is not asked."""

    seconds: float = Field(2.0, gt=0, le=120)


class RateLimited(Fault):
    """429 with ``Retry-After: <retry_after>`` (seconds); not accepted."""

    retry_after: int = Field(5, ge=0, le=3600)


class ServerError(Fault):
    """A 5xx; not accepted."""

    status: int = Field(503, ge=500, le=599)


class NoCredit(Fault):
    """Spoki's own error spoki::1029; not accepted."""


class NoId(Fault):
    """A 2xx that has neither id nor uuid: not accepted, whatever the status says."""


class DropAnswer(Fault):
    """The send is accepted and reported, but the connection is closed without an answer."""


class NoEcho(Fault):
    """The send is accepted, but never reported by a webhook."""


class Undeliverable(Fault):
    """The send is accepted and then reported as Error instead of Delivered."""

    error_code: str = "whatsapp::131026"


class Duplicates(Fault):
    """Each webhook is posted ``copies`` times at once; counted by webhooks."""

    copies: int = Field(3, ge=2, le=50)


class BadSignature(Fault):
    """Webhooks are signed with a wrong secret; counted by attempts."""


class Faults(BaseModel):
    """All faults by name; ``None`` is off."""

    model_config = ConfigDict(extra="forbid")

    refuse: Refuse | None = None
    slow: Slow | None = None
    rate_limited: RateLimited | None = None
    server_error: ServerError | None = None
    no_credit: NoCredit | None = None
    no_id: NoId | None = None
    drop_answer: DropAnswer | None = None
    no_echo: NoEcho | None = None
    undeliverable: Undeliverable | None = None
    duplicates: Duplicates | None = None
    bad_signature: BadSignature | None = None


KINDS: dict[str, type[Fault]] = {
    "refuse": Refuse,
    "slow": Slow,
    "rate_limited": RateLimited,
    "server_error": ServerError,
    "no_credit": NoCredit,
    "no_id": NoId,
    "drop_answer": DropAnswer,
    "no_echo": NoEcho,
    "undeliverable": Undeliverable,
    "duplicates": Duplicates,
    "bad_signature": BadSignature,
}
NAMES = {kind: name for name, kind in KINDS.items()}

F = TypeVar("F", bound=Fault)


class FaultBoard:
    """Holds what is switched on, and counts it down as it is used."""

    def __init__(self) -> None:
        self._on: dict[type[Fault], Fault] = {}
        self._asked: Counter[type[Fault]] = Counter()

    def put(self, faults: Faults) -> None:
        """Switch on exactly ``faults``."""
        given = {kind: getattr(faults, name) for name, kind in KINDS.items()}
        # Copied, because counting down changes them.
        self._on = {kind: fault.model_copy() for kind, fault in given.items() if fault}
        self._asked.clear()

    def snapshot(self) -> Faults:
        """Return what is on, with the counts that are left."""
        left = {NAMES[kind]: fault.model_copy() for kind, fault in self._on.items()}
        return Faults.model_validate(left)

    def put_one(self, fault: Fault) -> None:
        """Switch on ``fault`` and leave the others as they are."""
        self._on[type(fault)] = fault.model_copy()
        del self._asked[type(fault)]

    def drop(self, kind: type[Fault]) -> None:
        """Switch off the fault of this kind."""
        self._on.pop(kind, None)

    def clear(self) -> None:
        """Switch everything off."""
        self._on = {}

    def take(self, kind: type[F]) -> F | None:
        """Return the fault of this kind if it is on, and use up one of its count."""
        fault = self._on.get(kind)
        if not isinstance(fault, kind):
            return None
        self._asked[kind] += 1
        if (self._asked[kind] - 1) % (fault.every or 1):
            return None
        if fault.count is None:
            return fault
        used = fault.model_copy()
        fault.count -= 1
        if fault.count == 0:
            del self._on[kind]
        return used

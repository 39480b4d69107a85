"""What the gate keeps in a server's own store: each nonce once, and who asked for a change."""

from dataclasses import dataclass
from typing import Protocol

from app.signing import Signed


class LedgerError(Exception):
    """The store didn't take it."""


@dataclass(frozen=True)
class Entry:
    """Who asked for a change, and what came of it: ``ok``, or the end of the problem's type.

    ``target`` is the route's template, ``address`` is cut by whoever writes it down.
    """

    client: str
    method: str
    target: str
    outcome: str
    request_id: str
    address: str


class Ledger(Protocol):
    """A server's store, as the gate needs it. Both raise :class:`LedgerError`."""

    def spend(self, signed: Signed, *, durable: bool) -> bool:
        """Whether this nonce comes for the first time; ``durable`` outlives a power cut."""

    def record(self, entry: Entry) -> None:
        """Write an entry of the audit."""

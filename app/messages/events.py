"""What a provider tells us, in our own words; providers translate into these."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Delivery(StrEnum):
    """How far a message of ours got, as its provider reports it."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


@dataclass(frozen=True)
class InboundMessage:
    """A guest wrote. ``phone`` is E.164; ``text`` may be empty (a photo, say)."""

    message_id: str
    phone: str
    text: str


@dataclass(frozen=True)
class StatusReport:
    """A message of ours got somewhere. ``idempotency_key`` is the echo of our metadata, if any."""

    provider_id: str
    idempotency_key: str | None
    delivery: Delivery
    reason: str | None = None


@dataclass(frozen=True)
class Unhandled:
    """An event that nothing is done about; it is kept, with the reason."""

    reason: str


Content: TypeAlias = InboundMessage | StatusReport | Unhandled


@dataclass(frozen=True)
class Event:
    """One event of a provider: its id there, its name there, and what it says."""

    source: str
    event_id: str
    name: str
    content: Content

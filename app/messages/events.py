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
    """A guest wrote.

    ``phone`` is E.164; ``text`` may be empty (a photo, say). ``choice_id`` is that of the choice
    they tapped; ``media`` names what came along ("image", "audio", "document" …); ``name`` is what
    they call themselves on WhatsApp.
    """

    message_id: str
    phone: str
    text: str
    choice_id: str | None = None
    media: tuple[str, ...] = ()
    name: str | None = None


@dataclass(frozen=True)
class StatusReport:
    """A message to a guest got somewhere.

    ``idempotency_key`` is the echo of our metadata, if any. ``phone`` (E.164) and ``by_person``
    are known where the provider also reports what somebody wrote in its own inbox.
    """

    provider_id: str
    idempotency_key: str | None
    delivery: Delivery
    reason: str | None = None
    phone: str | None = None
    by_person: bool = False


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

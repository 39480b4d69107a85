"""What the sandbox remembers: conversations and the send calls, in memory and bounded.

Times are milliseconds since the epoch, as floats, from the wall clock.
"""

import itertools
import time
import uuid
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

# Enough for a benchmark of some minutes at 100 messages/s; about 100 MB when full.
MAX_MESSAGES = 20_000
MAX_SENDS = 20_000
# An inbound message that has no answer by then is taken as never answered, so that the answer to
# a later one isn't counted as its own.
ANSWER_WITHIN_MS = 60_000.0

Direction = Literal["Inbound", "Outbound"]


def now_ms() -> float:
    """The wall clock in milliseconds since the epoch."""
    return time.time_ns() / 1_000_000


@dataclass(slots=True)
class Report:
    """One webhook about a message, and how its delivery stands."""

    event_uuid: str
    event: str
    send_status: str
    at: float
    state: Literal["waiting", "delivered", "gave_up", "nowhere"] = "waiting"
    attempts: int = 0
    last_answer: str | None = None
    posted_at: float | None = None
    answered_at: float | None = None


@dataclass(slots=True)
class Message:
    """One message of a conversation, from the guest (Inbound) or to the guest (Outbound)."""

    id: int
    uuid: str
    phone: str
    direction: Direction
    content_type: str
    text: str
    created_at: float
    status: str
    name: str | None = None
    metadata: dict[str, Any] | None = None
    template: int | None = None
    payload: str | None = None
    sender_id: int | None = None
    error_code: str | None = None
    parts: dict[str, Any] = field(default_factory=dict)
    send_received_at: float | None = None
    in_reply_to: str | None = None
    answer_ms: float | None = None
    reports: list[Report] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The message for the control API; the first webhook's times stand at the top as well."""
        first = self.reports[0] if self.reports else None
        return {
            **asdict(self),
            "webhook_posted_at": first.posted_at if first else None,
            "webhook_answered_at": first.answered_at if first else None,
        }


@dataclass(slots=True)
class SendCall:
    """One call of the send API exactly as it came, and what became of it."""

    received_at: float
    raw: bytes
    answer: int | str | None = None
    accepted: bool = False
    message_uuid: str | None = None
    source: str | None = None


class State:
    """Conversations by phone, oldest first, and the log of send calls."""

    def __init__(self, max_messages: int = MAX_MESSAGES, max_sends: int = MAX_SENDS) -> None:
        self._max_messages = max_messages
        # Spoki's ids are large; the page and the tests only need them to differ.
        self._ids = itertools.count(88_000_001)
        self._order: deque[Message] = deque()
        self._by_phone: dict[str, deque[Message]] = {}
        self._unanswered: dict[str, deque[Message]] = {}
        self.sends: deque[SendCall] = deque(maxlen=max_sends)

    def clear(self) -> None:
        """Forget everything."""
        self._order.clear()
        self._by_phone.clear()
        self._unanswered.clear()
        self.sends.clear()

    def add_inbound(self, phone: str, text: str, content_type: str = "Text") -> Message:
        """Keep what a guest wrote, or the caption of what they sent."""
        message = self._new(phone, "Inbound", content_type, text, "Queued")
        self._unanswered.setdefault(phone, deque()).append(message)
        return message

    def add_by_person(self, phone: str, text: str, sender_id: int) -> Message:
        """Keep what somebody wrote in Spoki's inbox; how long that took says nothing of us."""
        message = self._new(phone, "Outbound", "Text", text, "Pending")
        message.sender_id = sender_id
        return message

    def add_outbound(self, phone: str, content_type: str, text: str, received_at: float) -> Message:
        """Keep an accepted send, and match it with the oldest message that waits for an answer."""
        message = self._new(phone, "Outbound", content_type, text, "Pending")
        message.send_received_at = received_at
        asked = self._next_unanswered(phone, received_at)
        if asked is not None:
            message.in_reply_to = asked.uuid
            posted = asked.reports[0].posted_at if asked.reports else None
            message.answer_ms = received_at - (posted or asked.created_at)
        return message

    def conversation(self, phone: str) -> list[Message]:
        """The messages with one guest, oldest first."""
        return list(self._by_phone.get(phone, ()))

    def messages(self) -> list[Message]:
        """All messages, oldest first."""
        return list(self._order)

    def phones(self) -> list[str]:
        """The guests who have a conversation."""
        return list(self._by_phone)

    def _new(
        self, phone: str, direction: Direction, content_type: str, text: str, status: str
    ) -> Message:
        message = Message(
            id=next(self._ids),
            uuid=uuid.uuid4().hex,
            phone=phone,
            direction=direction,
            content_type=content_type,
            text=text,
            created_at=now_ms(),
            status=status,
        )
        if len(self._order) >= self._max_messages:
            self._forget(self._order.popleft())
        self._order.append(message)
        self._by_phone.setdefault(phone, deque()).append(message)
        return message

    def _forget(self, oldest: Message) -> None:
        conversation = self._by_phone[oldest.phone]
        conversation.popleft()
        waiting = self._unanswered.get(oldest.phone)
        if waiting and waiting[0] is oldest:
            waiting.popleft()
        if not conversation:
            del self._by_phone[oldest.phone]
            self._unanswered.pop(oldest.phone, None)

    def _next_unanswered(self, phone: str, now: float) -> Message | None:
        waiting = self._unanswered.get(phone)
        while waiting:
            asked = waiting.popleft()
            if now - asked.created_at <= ANSWER_WITHIN_MS:
                return asked
        return None

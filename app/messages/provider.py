"""What a provider of WhatsApp messages must be able to do, and how it may fail.

The kinds of failure are kinds of knowledge: whether the guest may have got the message.
"""

from datetime import timedelta
from typing import Protocol


class NotSentError(Exception):
    """Surely not sent, and worth another try, not before ``after``."""

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class RefusedError(Exception):
    """Surely not sent, and asking again would not help."""


class InDoubtError(Exception):
    """The provider may or may not have sent it: its answer was lost."""


class Provider(Protocol):
    """Hands messages to guests."""

    def send_text(self, phone: str, text: str, idempotency_key: str) -> str:
        """Send ``text`` to ``phone`` (E.164) and return the provider's id of the message.

        ``idempotency_key`` comes back in the provider's reports. Raises :class:`NotSentError`,
        :class:`RefusedError` or :class:`InDoubtError`.
        """
        ...

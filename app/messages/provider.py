"""What a provider of WhatsApp messages must be able to do, and how it may fail.

The kinds of failure are kinds of knowledge: whether the guest may have got the message.
"""

from datetime import timedelta
from typing import Protocol

from app.messages.outgoing import Outgoing


class NotSentError(Exception):
    """Surely not sent, and worth another try, not before ``after``."""

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class SlowDownError(NotSentError):
    """Surely not sent: the provider asks to wait with everything, for ``after`` or a while."""


class RefusedError(Exception):
    """Surely not sent, and asking again would not help."""


class WindowClosedError(RefusedError):
    """Surely not sent: the guest last wrote too long ago, and only a template may go."""


class InDoubtError(Exception):
    """The provider may or may not have sent it: its answer was lost."""


class Provider(Protocol):
    """Hands messages to guests."""

    def send(self, phone: str, message: Outgoing, idempotency_key: str) -> str:
        """Send ``message`` to ``phone`` (E.164) and return the provider's id of it.

        ``idempotency_key`` comes back in the provider's reports. Raises :class:`NotSentError`,
        :class:`RefusedError`, :class:`WindowClosedError` or :class:`InDoubtError`.
        """
        ...

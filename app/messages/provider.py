"""What a provider of WhatsApp messages must be able to do, and how it may fail.

The kinds of failure are kinds of knowledge: whether the guest may have got the message.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol, TypeAlias

from app.messages.outgoing import Outgoing


class NotSentError(Exception):
    """Surely not sent, and worth another try, not before ``after``."""

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class UnreachableError(NotSentError):
    """Surely not sent: no connection to the provider was made."""


class SlowDownError(NotSentError):
    """Surely not sent: the provider asks to wait with everything, for ``after`` or a while."""


class LeaseOverError(NotSentError):
    """Surely not sent: it was claimed in a term that is over by now. It says nothing of anybody."""


class RefusedError(Exception):
    """Surely not sent, and asking again would not help."""


class WindowClosedError(RefusedError):
    """Surely not sent: the guest last wrote too long ago, and only a template may go."""


class InDoubtError(Exception):
    """The provider may or may not have sent it: its answer was lost."""


LastLook: TypeAlias = Callable[[], None]
"""Is called when all is ready, before anything of the message leaves. If it raises, nothing does.
"""


def nobody_looks() -> None:
    """Nothing keeps it back."""


class Provider(Protocol):
    """Hands messages to guests."""

    def send(
        self,
        phone: str,
        message: Outgoing,
        idempotency_key: str,
        last_look: LastLook = nobody_looks,
    ) -> str:
        """Send ``message`` to ``phone`` (E.164) and return the provider's id of it.

        ``idempotency_key`` comes back in the provider's reports. Raises :class:`NotSentError`,
        :class:`RefusedError`, :class:`WindowClosedError` or :class:`InDoubtError`, and whatever
        ``last_look`` raises.
        """
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class Guard(Protocol):
    """Says whether the provider may be asked now, and hears what came of it; of many threads.

    A call has the idempotency key of its message as its name. `app.providers.breaker` is one.
    """

    def room(self) -> int:
        """How many calls may be begun now."""
        ...

    def admit(self, call: str) -> bool:
        """Whether ``call`` may be made now; asked inside the transaction that claims its row."""
        ...

    def succeeded(self, call: str) -> None:
        """The provider answered."""
        ...

    def failed(self, call: str, reason: str) -> None:
        """The provider can't be reached, its answer was lost, or it said that it failed."""
        ...

    def told_nothing(self, call: str) -> None:
        """What came of it says nothing about the provider's health."""
        ...

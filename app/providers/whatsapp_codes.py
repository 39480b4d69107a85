"""What WhatsApp's error codes say about a send, whoever passes them on.

Facts from Meta's list of error codes of the Cloud API.
"""

from datetime import timedelta

from app.messages.provider import NotSentError, RefusedError, SlowDownError, WindowClosedError
from app.providers.sending import KEY_WAIT

# Limits: of the account (130429, 80007), of one guest's phone (131056), of the app (4).
_SLOW_DOWN = frozenset({130429, 131056, 80007, 4})
# "Something went wrong" and "service unavailable": the next attempt may be a better one.
_TRY_AGAIN = frozenset({131000, 131016})
_WINDOW_CLOSED = 131047
# The access token has run out or was taken back.
_TOKEN = 190
# Undeliverable, stopped by the guest, a wrong message or template, the account itself held back.
_REFUSED = frozenset(
    {
        *(131026, 131048, 131049, 131050, 131051, 131053, 130472),
        *(131008, 131009, 132000, 132001, 132015, 132016),
        *(131042, 131031, 368),
    }
)


def send_error(code: int, after: timedelta | None) -> Exception | None:
    """The error of `app.messages.provider` that ``code`` stands for; None if it isn't known.

    ``after`` is the provider's own word on when to try again.
    """
    reason = f"WhatsApp refused it: {code}"
    if code in _SLOW_DOWN:
        return SlowDownError(f"WhatsApp asks to slow down ({code})", after)
    if code in _TRY_AGAIN:
        return NotSentError(f"WhatsApp couldn't take it ({code})", after)
    if code == _WINDOW_CLOSED:
        return WindowClosedError(f"the guest last wrote more than 24 hours ago ({code})")
    if code == _TOKEN:
        return NotSentError(f"WhatsApp refuses the access token ({code})", KEY_WAIT)
    return RefusedError(reason) if code in _REFUSED else None

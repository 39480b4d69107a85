"""Alerts by Slack's incoming webhooks (docs.slack.dev, "Sending messages using incoming webhooks").

The webhook's URL is a secret: who knows it may write.
"""

import html
from typing import Final

import httpx

from app.channels.undelivered import TIMEOUT, UndeliveredError
from app.retry_after import retry_after

# Slack takes about one message a second, and says so by 429.
_MENDABLE: Final = frozenset({408, 425, 429})


def send_to_slack(url: str, text: str) -> None:
    """Post to an incoming webhook, which answers 200.

    Raises :class:`app.channels.undelivered.UndeliveredError`.
    """
    # A guest who writes <!channel> must not wake everybody, nor <https://…|text> hide an address.
    escaped = html.escape(text, quote=False)
    try:
        response = httpx.post(url, json={"text": escaped}, timeout=TIMEOUT.total_seconds())
    except httpx.HTTPError as error:
        raise UndeliveredError(f"Slack can't be reached ({type(error).__name__})") from None
    if response.is_success:
        return
    status = response.status_code
    if response.is_client_error and status not in _MENDABLE:
        # Its reasons are one word: channel_not_found, invalid_token.
        raise UndeliveredError(f"Slack refuses it: {status} {response.text[:60]}", lasting=True)
    raise UndeliveredError(f"Slack answered {status}", after=retry_after(response.headers))

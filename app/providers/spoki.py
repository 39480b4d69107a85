"""Spoki's send API.

``POST /api/1/messages/send/`` with ``X-Spoki-Api-Key``. Accepted means 2xx *and* an id or uuid in
the answer. Spoki has no idempotency key: an answer that was lost proves nothing, so what may have
arrived is in doubt until its report comes back with our key in its ``metadata``.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from app.messages.provider import InDoubtError, NotSentError, RefusedError
from app.providers.spoki_events import METADATA_KEY, provider_id

CONNECT_TIMEOUT = timedelta(seconds=3)
# Shorter than what servers usually keep an idle connection for (nginx: 75 s), so that a send is
# not started on a connection that the other side is just closing.
KEEPALIVE = timedelta(seconds=30)
# Errors that say that nothing was handed over: no connection was made.
_NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# Retry-After longer than this would be a misreading: WhatsApp's windows are minutes.
LONGEST_RETRY_AFTER = timedelta(minutes=15)
NO_CREDIT = "spoki::1029"


class Spoki:
    """A :class:`app.messages.provider.Provider`. ``timeout`` is what one answer may take."""

    def __init__(self, base_url: str, api_key: str, timeout: timedelta, connections: int) -> None:
        self._client = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={"X-Spoki-Api-Key": api_key},
            timeout=httpx.Timeout(timeout.total_seconds(), connect=CONNECT_TIMEOUT.total_seconds()),
            limits=httpx.Limits(
                max_connections=connections, keepalive_expiry=KEEPALIVE.total_seconds()
            ),
        )

    def send_text(self, phone: str, text: str, idempotency_key: str) -> str:
        """See :class:`app.messages.provider.Provider`."""
        body = {
            "type": "Message",
            "content_type": "Text",
            "phone": phone,
            "text": text,
            "metadata": {METADATA_KEY: idempotency_key},
        }
        try:
            response = self._client.post("/api/1/messages/send/", json=body)
        except _NOT_CONNECTED as error:
            raise NotSentError(f"Spoki can't be reached ({type(error).__name__})") from error
        except httpx.HTTPError as error:
            raise InDoubtError(f"Spoki's answer was lost ({type(error).__name__})") from error
        return _accepted(response)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _accepted(response: httpx.Response) -> str:
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise NotSentError("Spoki asks to slow down (429)", retry_after(response.headers))
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise InDoubtError(f"Spoki answered {status}")
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        # Mended by whoever looks after the key; the guest's answer should survive that.
        raise NotSentError(f"Spoki refuses the API key ({status})", timedelta(minutes=1))
    answer = _json_object(response)
    if answer.get("error_code") == NO_CREDIT:
        raise NotSentError("the Spoki account has no credit left: top it up", timedelta(minutes=5))
    if response.is_success:
        identifier = answer.get("uuid") or answer.get("id")
        if not identifier:
            raise InDoubtError(f"Spoki answered {status} without an id")
        return provider_id(str(identifier))
    code = answer.get("error_code")
    raise RefusedError(
        f"Spoki refused it: {status} {code or ', '.join(answer) or 'without a reason'}"
    )


def _json_object(response: httpx.Response) -> dict[str, object]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def retry_after(headers: httpx.Headers) -> timedelta | None:
    """``Retry-After`` in seconds or as a date (RFC 9110, 10.2.3); None if there is none."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), LONGEST_RETRY_AFTER)
    try:
        wait = parsedate_to_datetime(value) - datetime.now(UTC)
    except (ValueError, TypeError):
        return None
    return min(max(wait, timedelta(0)), LONGEST_RETRY_AFTER)

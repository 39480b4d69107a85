"""``Retry-After``, as every HTTP service says when to come back (RFC 9110, 10.2.3)."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

# Longer than this would be a misreading: WhatsApp's windows are minutes.
LONGEST_RETRY_AFTER = timedelta(minutes=15)


def retry_after(headers: httpx.Headers) -> timedelta | None:
    """The wait, given in seconds or as a date; None if there is none."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), LONGEST_RETRY_AFTER)
    try:
        wait = parsedate_to_datetime(value) - datetime.now(UTC)
    except (ValueError, TypeError):
        return None
    return min(max(wait, timedelta(0)), LONGEST_RETRY_AFTER)

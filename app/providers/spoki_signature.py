"""Spoki's webhook signature, version 2.

Header ``X-Spoki-Signature: t=<unix seconds>,v2=<hex HMAC-SHA256(secret, "<t>.<raw body>")>``,
good for 300 s (Spoki's external-webhooks contract). The raw body is signed: one space more and
the signature is another.
"""

import hmac
from collections.abc import Sequence
from datetime import timedelta

from app.providers.incoming import SignatureError

HEADER = "X-Spoki-Signature"
TOLERANCE = timedelta(seconds=300)


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Return the header's value for ``body`` sent at ``timestamp`` (unix seconds)."""
    return f"t={timestamp},v2={_digest(secret, str(timestamp), body)}"


def verify(header: str | None, body: bytes, secrets: Sequence[str], now: float) -> None:
    """Check ``header`` against each of ``secrets`` (two are valid while one is rotated).

    ``now`` is in unix seconds. Raises :class:`SignatureError`.
    """
    if not header:
        raise SignatureError(f"the header {HEADER} is missing")
    parts = dict(part.strip().partition("=")[::2] for part in header.split(","))
    timestamp, given = parts.get("t", ""), parts.get("v2", "")
    if not (timestamp.isascii() and timestamp.isdigit() and given.isascii() and given):
        raise SignatureError(f"the header {HEADER} is not of the form t=<unix>,v2=<hex>")
    # Compared before the age, so that an answer about age is only for who holds the secret.
    if not any(hmac.compare_digest(_digest(s, timestamp, body), given) for s in secrets):
        raise SignatureError("the signature does not fit the body and the secret")
    # Fifteen digits are enough for any clock, and too few to overflow a float.
    if len(timestamp) > 15 or abs(now - int(timestamp)) > TOLERANCE.total_seconds():
        raise SignatureError("the signature is older than 300 s: check this machine's clock")


def _digest(secret: str, timestamp: str, body: bytes) -> str:
    return hmac.digest(secret.encode(), f"{timestamp}.".encode() + body, "sha256").hex()

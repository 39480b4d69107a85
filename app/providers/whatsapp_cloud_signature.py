"""The signature of the Cloud API's webhooks.

Header ``X-Hub-Signature-256: sha256=<hex HMAC-SHA256(app secret, raw body)>``. It has no time in
it, so an old webhook can be played again; its events are then known already.
"""

import hmac
from collections.abc import Sequence

from app.providers.incoming import SignatureError

HEADER = "X-Hub-Signature-256"
_ALGORITHM = "sha256="


def sign(secret: str, body: bytes) -> str:
    """Return the header's value for ``body``."""
    return _ALGORITHM + hmac.digest(secret.encode(), body, "sha256").hex()


def verify(header: str | None, body: bytes, secrets: Sequence[str], now: float) -> None:
    """Check ``header`` against each of ``secrets`` (two are valid while one is rotated).

    ``now`` is not looked at: the signature has no time. Raises :class:`SignatureError`.
    """
    if not header:
        raise SignatureError(f"the header {HEADER} is missing")
    if not header.startswith(_ALGORITHM) or not header.isascii():
        raise SignatureError(f"the header {HEADER} is not of the form sha256=<hex>")
    if not any(hmac.compare_digest(sign(secret, body), header) for secret in secrets):
        raise SignatureError("the signature does not fit the body and the secret")

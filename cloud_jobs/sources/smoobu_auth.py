"""How Smoobu is asked: signed by HMAC, or with the key in a header, which it is retiring."""

import hmac
import uuid
from base64 import b64encode
from collections.abc import Generator
from datetime import UTC, datetime
from hashlib import sha256

import httpx


class HmacAuth(httpx.Auth):
    """Signs each request anew, those that are asked again too: a nonce counts once."""

    requires_request_body = True

    def __init__(self, key: str, secret: str) -> None:
        self._key = key
        self._secret = secret

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See :class:`httpx.Auth`."""
        self.sign(request, datetime.now(UTC), str(uuid.uuid4()))
        yield request

    def sign(self, request: httpx.Request, at: datetime, nonce: str) -> None:
        """Put the four headers on a request."""
        timestamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = canonical(request, timestamp, nonce, self._key)
        digest = hmac.digest(self._secret.encode(), text.encode(), "sha256")
        request.headers["X-API-Key"] = self._key
        request.headers["X-Timestamp"] = timestamp
        request.headers["X-Nonce"] = nonce
        request.headers["X-Signature"] = b64encode(digest).decode("ascii")


class ApiKeyAuth(httpx.Auth):
    """The key as it is."""

    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See :class:`httpx.Auth`."""
        request.headers["Api-Key"] = self._key
        yield request


def canonical(request: httpx.Request, timestamp: str, nonce: str, key: str) -> str:
    """What is signed, its lines in Smoobu's order.

    The query's pairs stay percent-encoded as they are sent, and are sorted as whole texts.
    """
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    lines = (
        request.method,
        path,
        "&".join(sorted(query.split("&"))),
        timestamp,
        nonce,
        sha256(request.content).hexdigest(),
        key,
    )
    return "\n".join(lines)

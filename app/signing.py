"""Signed requests: RFC 9421 HTTP Message Signatures with a shared key (hmac-sha256).

Used in both directions between the desk and the cloud, and by whoever else calls the gateway. A
signature covers the method, the path, the query where there is one, and the body (RFC 9530
Content-Digest); it carries when it was made, a nonce and the client's name. It doesn't cover the
host: the same request goes over the private link and over the public name.
"""

import hmac
import secrets
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

import httpx
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
)
from http_message_signatures.algorithms import HMAC_SHA256

TAG: Final = "portiere"
# How far two clocks may be apart, and how long a request may be under way.
TOLERANCE: Final = timedelta(seconds=300)
_NONCE_BYTES: Final = 16
_LONGEST_NONCE: Final = 64
_ALWAYS_COVERED: Final = ("@method", "@path", "content-digest")
# The library wants an absolute address; its host is never looked at.
_ANY_HOST: Final = "http://host.invalid"


class Reason(StrEnum):
    """Why a request is refused; also the problem's type."""

    MISSING = "signature-missing"
    WRONG = "signature-refused"
    STALE = "signature-stale"
    EARLY = "signature-early"
    UNKNOWN = "client-unknown"


class RefusedError(InvalidSignature):
    """The request isn't signed as it must be; the message says what to do."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Asked(NamedTuple):
    """A request; ``target`` is path and query as they go over the wire."""

    method: str
    target: str
    body: bytes


@dataclass(frozen=True)
class Signed:
    """Whose signature was right; ``nonce`` must not come again before ``expires_at`` (aware)."""

    client: str
    nonce: str
    expires_at: datetime


@dataclass
class _Message:
    """A request, as the library looks at it."""

    method: str
    url: str
    headers: dict[str, str]


def sign(
    asked: Asked,
    client: str,
    key: bytes,
    created: datetime | None = None,
    nonce: str | None = None,
) -> dict[str, str]:
    """The headers that sign a request: Content-Digest, Signature-Input and Signature.

    ``created`` is aware, now by default; the nonce is random unless given.
    """
    message = _Message(asked.method, _ANY_HOST + asked.target, {})
    HTTPMessageSigner(signature_algorithm=HMAC_SHA256, key_resolver=_Keys({client: (key,)})).sign(
        message,
        key_id=client,
        created=created or datetime.now(UTC),
        nonce=nonce or secrets.token_hex(_NONCE_BYTES),
        label=TAG,
        tag=TAG,
        covered_component_ids=_to_cover(asked.target),
        body=asked.body,
    )
    return message.headers


def verify(
    asked: Asked,
    headers: Mapping[str, str],
    clients: Mapping[str, Sequence[bytes]],
    now: datetime | None = None,
) -> Signed:
    """Who signed this request.

    ``headers`` by any case, a field's lines joined by ``", "``; ``clients`` are the keys, by name,
    that may sign now. Raises :class:`RefusedError`. That the nonce is new is for the caller to see.
    """
    found = {name.lower(): value for name, value in headers.items()}
    if "signature" not in found or "signature-input" not in found:
        raise RefusedError(
            Reason.MISSING, "Sign the request: Signature and Signature-Input, see docs/api.md."
        )
    verifier = _Verifier(_Keys(clients), now or datetime.now(UTC))
    try:
        return verifier.check(asked, found)
    except RefusedError:
        raise
    except HTTPMessageSignaturesException:
        detail = "The signature is not of this method, path, query and body by a key of the client."
        raise RefusedError(Reason.WRONG, detail) from None


class SignedAuth(httpx.Auth):
    """Signs each request of an httpx client: ``httpx.Client(auth=SignedAuth("mac", key))``."""

    requires_request_body = True

    def __init__(self, client: str, key: bytes) -> None:
        self._client = client
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign it; each request once, retries anew."""
        target = request.url.raw_path.decode("ascii")
        asked = Asked(request.method, target, request.content)
        signature = sign(asked, self._client, self._key)
        request.headers.update(signature)
        yield request


class _EitherKey(HMAC_SHA256):
    """The algorithm with a tuple of keys: the signature is right if it is by one of them."""

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raises InvalidSignature."""
        expected = (hmac.digest(key, message, "sha256") for key in self.shared_secret)
        if not any(hmac.compare_digest(one, signature) for one in expected):
            raise InvalidSignature("not by any key of this client")


class _Keys(HTTPSignatureKeyResolver):
    """The keys of each client, by name."""

    def __init__(self, clients: Mapping[str, Sequence[bytes]]) -> None:
        self._clients = clients

    def resolve_private_key(self, key_id: str) -> bytes:
        """The key to sign with."""
        return self._clients[key_id][0]

    def resolve_public_key(self, key_id: str) -> Any:
        """The keys of this client; raises :class:`RefusedError` if there is none."""
        if not (keys := tuple(self._clients.get(key_id, ()))):
            raise RefusedError(Reason.UNKNOWN, "No client of that name may call.")
        return keys


class _Verifier(HTTPMessageVerifier):
    """The library's verifier, by our clock."""

    def __init__(self, keys: _Keys, now: datetime) -> None:
        super().__init__(signature_algorithm=_EitherKey, key_resolver=keys)
        self._now = now

    def check(self, asked: Asked, headers: dict[str, str]) -> Signed:
        """Who signed; raises the library's exceptions, :class:`RefusedError` among them."""
        message = _Message(asked.method, _ANY_HOST + asked.target, headers)
        covered = _to_cover(asked.target)
        results = self.verify(
            message, max_age=None, expect_tag=TAG, require_components=covered, body=asked.body
        )
        if len(results) != 1:
            raise RefusedError(Reason.WRONG, f"Sign once with the tag {TAG}.")
        parameters = results[0].parameters
        nonce = results[0].nonce
        if not nonce or len(nonce) > _LONGEST_NONCE:
            raise RefusedError(Reason.WRONG, f"A nonce has 1 to {_LONGEST_NONCE} characters.")
        created = datetime.fromtimestamp(int(parameters["created"]), UTC)
        return Signed(str(parameters["keyid"]), nonce, created + TOLERANCE)

    def validate_created_and_expires(
        self, sig_input: Any, max_age: timedelta | None = None
    ) -> None:
        """The library's check, with a reason for each."""
        created = sig_input.params.get("created")
        expires = sig_input.params.get("expires", created)
        if created is None:
            raise InvalidSignature("created is missing")
        # The library has seen to it that both are integers, of 15 digits at most.
        earliest = (self._now - TOLERANCE).timestamp()
        latest = (self._now + TOLERANCE).timestamp()
        if created < earliest or (expires != created and expires < self._now.timestamp()):
            raise RefusedError(Reason.STALE, "The signature is too old: sign anew, set the clock.")
        if created > latest:
            raise RefusedError(Reason.EARLY, "The signature is of the future: set the clock.")


def _to_cover(target: str) -> tuple[str, ...]:
    _, _, query = target.partition("?")
    return (*_ALWAYS_COVERED, "@query") if query else _ALWAYS_COVERED

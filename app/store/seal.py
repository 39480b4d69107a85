"""Sealed columns and the blind index.

A sealed value is ``id length (1 byte) | key id | nonce (12 bytes) | AES-256-GCM``; the context
(table, column and row) is its additional data, so that a value moved to another row does not
open. Phones are found by HMAC-SHA256 under a key of its own.
"""

import hmac
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# What NIST SP 800-38D recommends for GCM.
NONCE_BYTES = 12


class SealError(Exception):
    """A sealed value can't be opened: wrong key, wrong row, or changed."""


class Seal:
    """Seals with the first of ``keys`` and opens with any; ``index_key`` makes the blind index."""

    def __init__(self, keys: Mapping[str, bytes], index_key: bytes) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = next(iter(keys))
        self._index_key = index_key

    def seal(self, plain: str, context: str) -> bytes:
        """Seal ``plain``; only the same ``context`` opens it."""
        key_id = self._current.encode()
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, plain.encode(), context.encode())
        return bytes([len(key_id)]) + key_id + nonce + sealed

    def open(self, sealed: bytes, context: str) -> str:
        """What was sealed. Raises :class:`SealError`."""
        start = 1 + sealed[0]
        key_id = sealed[1:start].decode()
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealError(f"the key {key_id!r} is not among PORTIERE_SEAL_KEYS")
        nonce, rest = sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, rest, context.encode()).decode()
        except InvalidTag:
            raise SealError(
                f"a sealed value of {context.partition(':')[0]} does not open"
            ) from None

    def index(self, phone: str) -> bytes:
        """The blind index of a phone in E.164."""
        return hmac.digest(self._index_key, phone.encode(), "sha256")

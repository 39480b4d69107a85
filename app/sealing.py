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
    """A sealed value can't be opened: wrong key, wrong row, changed, or never a sealed one."""


class Seal:
    """Seals with the first of ``keys`` and opens with any; ``index_key`` makes the blind index.

    ``current`` is the id of the key that seals, ``retired`` are those that only open.
    """

    def __init__(self, keys: Mapping[str, bytes], index_key: bytes) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.current, *self.retired = keys
        self._index_key = index_key

    def seal(self, plain: str, context: str) -> bytes:
        """Seal ``plain``; only the same ``context`` opens it."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self.current].encrypt(nonce, plain.encode(), context.encode())
        return header(self.current) + nonce + sealed

    def open(self, sealed: bytes, context: str) -> str:
        """What was sealed. Raises :class:`SealError`."""
        key_id, rest = _split(sealed)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealError(f"the key {key_id!r} is not among PORTIERE_SEAL_KEYS")
        nonce, ciphertext = rest[:NONCE_BYTES], rest[NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, ciphertext, context.encode()).decode()
        except (InvalidTag, ValueError):  # ValueError: a nonce cut short, or no UTF-8 inside
            raise SealError(
                f"a sealed value of {context.partition(':')[0]} does not open"
            ) from None

    def index(self, phone: str) -> bytes:
        """The blind index of a phone in E.164."""
        return hmac.digest(self._index_key, phone.encode(), "sha256")


def header(key_id: str) -> bytes:
    """How every value begins that ``key_id`` sealed, and no value of another key."""
    encoded = key_id.encode("ascii")
    return bytes([len(encoded)]) + encoded


def _split(sealed: bytes) -> tuple[str, bytes]:
    """The key's id, and what follows it."""
    length = sealed[0] if sealed else 0
    key_id = sealed[1 : 1 + length]
    if not key_id.isalnum():  # as settings want it: ASCII letters and digits, at least one
        raise SealError("this is no sealed value: it names no key")
    return key_id.decode("ascii"), sealed[1 + length :]

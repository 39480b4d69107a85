"""Keys as settings hold them: 32 bytes in base64, those that seal with an id before them."""

import base64
import re
from typing import Final

# 256 bits: AES-256-GCM and HMAC-SHA256.
KEY_BYTES: Final = 32
# An id stands in the clear before each value that its key sealed, its length in one byte.
_KEY_ID: Final = re.compile(r"[A-Za-z0-9]{1,32}")


def read_key(encoded: str, variable: str) -> bytes:
    """One key. Raises ValueError, without the key, naming the variable."""
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:  # binascii's own, or that of letters outside ASCII
        raise ValueError(f"{variable} is not base64: `portiere keys` makes one") from None
    if len(key) != KEY_BYTES:
        raise ValueError(
            f"{variable} must be {KEY_BYTES} bytes in base64: `portiere keys` makes one"
        )
    return key


def read_seal_keys(text: str, variable: str) -> dict[str, bytes]:
    """Keys that open sealed values, by id; the first one seals. Raises ValueError likewise."""
    keys: dict[str, bytes] = {}
    for entry in text.split(","):
        key_id, colon, encoded = entry.strip().partition(":")
        if not colon or not _KEY_ID.fullmatch(key_id):
            raise ValueError(
                f"{variable} is not id:base64[,id:base64], with ids of up to 32 letters "
                "and digits: see `portiere keys`"
            )
        if key_id in keys:
            raise ValueError(f"{variable} has two keys of the id {key_id}")
        keys[key_id] = read_key(encoded, variable)
    return keys

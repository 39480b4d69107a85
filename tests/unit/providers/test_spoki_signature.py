"""The webhook signature, against vectors worked out by hand with openssl."""

import pytest

from app.providers.incoming import SignatureError
from app.providers.spoki_signature import sign, verify

BODY = b'{"event":"test"}'
HEADER = "t=1000,v2=e28ae6c4659970f6661d7f4c2490c98e2d3c6b8d033bc8802d40f7ec8429461a"
SECRET = "test-webhook-secret"


def test_signs_as_spoki_does() -> None:
    assert sign(SECRET, 1000, BODY) == HEADER


def test_signs_the_utf8_bytes() -> None:
    body = '{"version":2,"event":"message.inbound","data":{"text":"perché?"}}'.encode()
    expected = "efce71265e60e2cf51ce997016b3ea1e0bf6a49fb3fa20d69a74e47a6082c819"
    assert sign(SECRET, 1790000000, body) == f"t=1790000000,v2={expected}"


@pytest.mark.parametrize("now", [1000, 1299, 1300, 701])
def test_accepts_within_300_seconds_either_way(now: int) -> None:
    verify(HEADER, BODY, [SECRET], now)


def test_accepts_either_secret_while_one_is_rotated() -> None:
    verify(HEADER, BODY, ["the-next-one", SECRET], 1000)


@pytest.mark.parametrize(
    ("header", "body", "secret", "now", "why"),
    [
        (HEADER, BODY, SECRET, 1301, "300 s"),
        (HEADER, BODY, SECRET, 699, "300 s"),
        (HEADER, BODY + b" ", SECRET, 1000, "does not fit"),
        (HEADER, BODY, "other", 1000, "does not fit"),
        (HEADER.replace("t=1000", "t=1001"), BODY, SECRET, 1000, "does not fit"),
        (None, BODY, SECRET, 1000, "missing"),
        ("", BODY, SECRET, 1000, "missing"),
        ("nonsense", BODY, SECRET, 1000, "form"),
        ("t=1000", BODY, SECRET, 1000, "form"),
        ("v2=abc", BODY, SECRET, 1000, "form"),
        ("t=-1,v2=abc", BODY, SECRET, 1000, "form"),
        ("t=1000,v2=é", BODY, SECRET, 1000, "form"),
        ("t=²,v2=abc", BODY, SECRET, 1000, "form"),
        (f"t={'9' * 400},v2=abc", BODY, SECRET, 1000, "does not fit"),
        (sign(SECRET, 10**400, BODY), BODY, SECRET, 1000, "300 s"),
    ],
)
def test_refuses(header: str | None, body: bytes, secret: str, now: int, why: str) -> None:
    with pytest.raises(SignatureError, match=why):
        verify(header, body, [secret], now)

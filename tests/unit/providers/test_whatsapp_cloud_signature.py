"""The Cloud API's signature, against vectors worked out with openssl."""

import pytest

from app.providers.incoming import SignatureError
from app.providers.whatsapp_cloud_signature import sign, verify

HEADER = "sha256=0329a06b62cd16b33eb6792be8c60b158d89a2ee3a876fce9a881ebb488c0914"
SECRET, BODY = "secret", b"test"


def test_signs_as_meta_does() -> None:
    assert sign(SECRET, BODY) == HEADER


def test_signs_the_utf8_bytes() -> None:
    expected = "5464509ab722897cabcd8cdf9b45409790d88d14fc4b28c07edeaae07c358ad4"
    assert sign("app-secret", '{"text":"perché?"}'.encode()) == f"sha256={expected}"


def test_accepts_either_secret_while_one_is_rotated() -> None:
    verify(HEADER, BODY, ["the-next-one", SECRET], now=0)


@pytest.mark.parametrize(
    ("header", "body", "secrets", "why"),
    [
        (None, BODY, [SECRET], "missing"),
        ("", BODY, [SECRET], "missing"),
        ("sha1=abc", BODY, [SECRET], "form"),
        (HEADER.removeprefix("sha256="), BODY, [SECRET], "form"),
        ("sha256=é", BODY, [SECRET], "form"),
        ("sha256=", BODY, [SECRET], "does not fit"),
        (HEADER.upper().replace("SHA", "sha"), BODY, [SECRET], "does not fit"),
        (HEADER, BODY + b" ", [SECRET], "does not fit"),
        (HEADER, BODY, ["other"], "does not fit"),
        (HEADER, BODY, [], "does not fit"),
    ],
)
def test_refuses(header: str | None, body: bytes, secrets: list[str], why: str) -> None:
    with pytest.raises(SignatureError, match=why):
        verify(header, body, secrets, now=0)

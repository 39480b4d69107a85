"""Signatures: what is covered can't be changed, and nothing but what was signed gets through."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.signing import TOLERANCE, Asked, Reason, RefusedError, SignedAuth, sign, verify

KEY, OTHER = b"k" * 32, b"o" * 32
NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
ASKED = Asked("POST", "/api/commands?dry=1", b'{"name":"PAUSE"}')

segments = st.text("abcXYZ019-._~%2F"[:-3], min_size=1, max_size=12)
requests = st.builds(
    lambda method, parts, query, body: Asked(
        method, "/" + "/".join(parts) + (f"?{query}" if query else ""), body
    ),
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    st.lists(segments, min_size=1, max_size=4),
    st.text("abc=&1-", max_size=12),
    st.binary(max_size=200),
)


def refusal(asked: Asked, headers: dict[str, str], now: datetime = NOW) -> Reason:
    with pytest.raises(RefusedError) as caught:
        verify(asked, headers, {"cloud": (KEY,)}, now)
    return caught.value.reason


@given(requests)
def test_what_was_signed_is_known_to_be_its_client_s(asked: Asked) -> None:
    headers = sign(asked, "cloud", KEY, NOW, "a-nonce")
    signed = verify(asked, headers, {"cloud": (OTHER, KEY)}, NOW)
    assert (signed.client, signed.nonce) == ("cloud", "a-nonce")
    assert signed.expires_at == NOW + TOLERANCE


@given(requests, requests)
def test_a_signature_is_of_one_request_only(one: Asked, another: Asked) -> None:
    if one == another:
        return
    assert refusal(another, sign(one, "cloud", KEY, NOW)) is Reason.WRONG


@pytest.mark.parametrize(
    ("ago", "reason"),
    [
        (TOLERANCE + timedelta(seconds=1), Reason.STALE),
        (-TOLERANCE - timedelta(seconds=1), Reason.EARLY),
    ],
)
def test_a_signature_is_good_for_five_minutes(ago: timedelta, reason: Reason) -> None:
    assert refusal(ASKED, sign(ASKED, "cloud", KEY, NOW - ago)) is reason
    just = ago - timedelta(seconds=1) if ago > timedelta(0) else ago + timedelta(seconds=1)
    assert verify(ASKED, sign(ASKED, "cloud", KEY, NOW - just), {"cloud": (KEY,)}, NOW)


def test_no_parameter_of_a_signature_can_be_changed_or_left_out() -> None:
    headers = sign(ASKED, "cloud", KEY, NOW, "n1")
    given_input = headers["Signature-Input"]
    for old, new in (
        ('nonce="n1"', 'nonce="n2"'),
        (';nonce="n1"', ""),
        (f"created={int(NOW.timestamp())}", f"created={int(NOW.timestamp()) + 1}"),
        (f"created={int(NOW.timestamp())};", ""),
        ('"@query"', '"@method"'),
        (' "@query"', ""),
        (' "content-digest"', ""),
        (';tag="portiere"', ""),
        ("hmac-sha256", "ed25519"),
    ):
        changed = given_input.replace(old, new, 1)
        assert changed != given_input
        assert refusal(ASKED, headers | {"Signature-Input": changed}) is Reason.WRONG, new


@given(st.text(st.characters(codec="latin-1"), max_size=80))
def test_any_nonsense_is_refused(text: str) -> None:
    for field in ("Signature-Input", "Signature", "Content-Digest"):
        headers = sign(ASKED, "cloud", KEY, NOW)
        assert refusal(ASKED, headers | {field: text}) in set(Reason)


def test_an_httpx_client_signs_what_it_sends() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    with httpx.Client(
        transport=httpx.MockTransport(answer),
        auth=SignedAuth("mac", KEY),
        base_url="http://cloud.example.invalid",
    ) as client:
        client.get("/api/commands", params={"wait": "25"})
        client.post("/api/events", json={"events": []})
    signed = [
        verify(
            Asked(request.method, request.url.raw_path.decode(), request.content),
            dict(request.headers),
            {"mac": (KEY,)},
        )
        for request in seen
    ]
    assert [one.client for one in signed] == ["mac", "mac"]
    assert signed[0].nonce != signed[1].nonce

"""Cloudflare Access, with a key server of our own: what its door hasn't signed stays outside.

The server shows keys as Cloudflare documents it; that Cloudflare's real ones look so isn't shown.
"""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from app.web.access import Access
from app.web.problems import ProblemError
from tests.support.processes import free_port

AUDIENCE = "invented-audience"
OURS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
THEIRS = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class _Keys(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """The team's keys."""
        key = json.loads(RSAAlgorithm.to_jwk(OURS.public_key())) | {"kid": "k1", "alg": "RS256"}
        found = self.path == "/cdn-cgi/access/certs"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(json.dumps({"keys": [key]}).encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def team() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def assertion(team: str, key: rsa.RSAPrivateKey = OURS, kid: str = "k1", **changed: Any) -> str:
    now = int(time.time())
    claims = {"iss": team, "aud": [AUDIENCE], "iat": now, "exp": now + 60, **changed}
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, key, "RS256", headers={"kid": kid})


async def refused(access: Access, token: str | None) -> tuple[int, str]:
    with pytest.raises(ProblemError) as caught:
        await access.check(token)
    return caught.value.status, caught.value.kind


def test_what_the_door_signed_is_let_in(team: str) -> None:
    asyncio.run(Access(f"{team}/", AUDIENCE).check(assertion(team)))


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["another"]},
        {"aud": None},
        {"iss": "https://other.example.invalid"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"key": THEIRS},
        {"kid": "k2"},
    ],
    ids=["another audience", "none", "another team", "expired", "no end", "another key", "its id"],
)
def test_what_is_not_of_this_door_is_not(team: str, changed: dict[str, Any]) -> None:
    token = assertion(team, **changed)
    assert asyncio.run(refused(Access(team, AUDIENCE), token)) == (403, "access-refused")


@pytest.mark.parametrize("token", [None, "", "nonsense", "a.b.c"])
def test_nothing_or_nonsense_is_not(team: str, token: str | None) -> None:
    assert asyncio.run(refused(Access(team, AUDIENCE), token)) == (403, "access-refused")


def test_an_unsigned_or_symmetric_assertion_is_not(team: str) -> None:
    claims = {"iss": team, "aud": AUDIENCE, "iat": 1, "exp": int(time.time()) + 60}
    keys: dict[str, Any] = {"none": None, "HS256": "k" * 32}
    for algorithm, key in keys.items():
        token = jwt.encode(claims, key, algorithm, headers={"kid": "k1"})
        assert asyncio.run(refused(Access(team, AUDIENCE), token)) == (403, "access-refused")


def test_while_the_keys_can_t_be_had_nobody_is_let_in() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    token = assertion(nowhere)
    assert asyncio.run(refused(Access(nowhere, AUDIENCE), token)) == (503, "access-unavailable")

"""The gate, with a real app, database and Redis: who gets in, and what the others are told."""

import asyncio
import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
import redis
from fastapi import Depends
from pydantic import BaseModel, ConfigDict

from app.gateway.api import make_app
from app.messages import audit
from app.settings import Settings
from app.signing import TOLERANCE, Asked, sign
from app.store.database import Database
from app.web.clients import Caller, Scope, caller
from app.web.limits import limited
from app.web.request_ids import HEADER as REQUEST_ID
from tests.support.processes import WEBHOOK_SECRET, free_port, redis_server

FIRST, SECOND, THIRD, READER = (bytes([letter]) * 32 for letter in b"123r")
CLIENTS = {"cloud": ([FIRST, SECOND], ["queues"]), "grafana": ([READER], ["metrics"])}
PATH = "/api/notes"
BODY = b'{"text": "the kitchen is closed"}'
JSON = {"Content-Type": "application/json"}


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


CLIENTS_SETTING = json.dumps(
    {
        name: {"keys": [encoded(key) for key in keys], "scopes": scopes}
        for name, (keys, scopes) in CLIENTS.items()
    }
)


class Note(BaseModel):
    """What the route of these tests takes."""

    model_config = ConfigDict(extra="forbid")

    text: str


@dataclass
class Gateway:
    """A leader's app in this process, with a route of its own that keeps notes."""

    settings: Settings
    loop: asyncio.AbstractEventLoop
    peer: str = "127.0.0.1"
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.app = make_app(self.settings)
        self.database = Database(self.settings.database)

        @self.app.post(PATH, dependencies=[Depends(limited("notes", 5))])
        def keep(note: Note, who: Annotated[Caller, Depends(caller(Scope.QUEUES))]) -> str:
            self.notes.append(note.text)
            return who.name

        @self.app.get("/api/figures", dependencies=[Depends(caller(Scope.METRICS))])
        def figures() -> str:
            return "none"

    def ask(self, method: str, target: str, **more: Any) -> httpx.Response:
        """Any request."""

        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(
                self.app, raise_app_exceptions=False, client=(self.peer, 4000)
            )
            async with httpx.AsyncClient(
                transport=transport, base_url="http://gateway.example.invalid"
            ) as client:
                return await client.request(method, target, **more)

        return self.loop.run_until_complete(go())

    def signed(
        self,
        method: str = "POST",
        target: str = PATH,
        body: bytes = BODY,
        *,
        by: tuple[str, bytes] = ("cloud", FIRST),
        more: Mapping[str, str] = JSON,
    ) -> httpx.Response:
        """A request signed as it must be; ``more`` are headers."""
        headers = sign(Asked(method, target, body), *by)
        return self.ask(method, target, content=body, headers={**JSON, **headers, **more})


def make_settings(directory: Path, redis_url: str, **more: Any) -> Settings:
    return Settings.model_validate(
        {
            "database": directory / "portiere.db",
            "redis_url": redis_url,
            "seal_keys": f"k1:{encoded(FIRST)}",
            "index_key": encoded(FIRST),
            "spoki_api_key": "invented-key",
            "spoki_webhook_secret": WEBHOOK_SECRET,
            "property_file": Path("app/conversation/property.example.yml").absolute(),
            "api_clients": CLIENTS_SETTING,
            **more,
        }
    )


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as (_, url):
        yield url


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture
def gateway(tmp_path: Path, redis_url: str, loop: asyncio.AbstractEventLoop) -> Gateway:
    redis.Redis.from_url(redis_url).flushall()
    return Gateway(make_settings(tmp_path, redis_url), loop)


def kind(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    told = answer.json()
    assert set(told) == {"type", "title", "status", "detail"}
    assert told["status"] == answer.status_code
    assert answer.headers[REQUEST_ID]
    return str(told["type"]).removeprefix("urn:portiere:problem:")


def headers_for(refused: str) -> dict[str, str]:
    """The headers of a request that isn't as it must be, in one way."""
    asked = Asked("POST", PATH, BODY)
    right = sign(asked, "cloud", FIRST)
    too_much = TOLERANCE + timedelta(seconds=5)
    return {
        "missing": {},
        "bad signature": right | {"Signature": f"portiere=:{encoded(bytes(32))}:"},
        "not ours": right | {"Signature": "sig1=:AAAA:", "Signature-Input": "sig1=()"},
        "stale": sign(asked, "cloud", FIRST, datetime.now(UTC) - too_much),
        "future": sign(asked, "cloud", FIRST, datetime.now(UTC) + too_much),
        "unknown client": sign(asked, "nobody", FIRST),
        "third key": sign(asked, "cloud", THIRD),
        "another client's key": sign(asked, "cloud", READER),
        "method tampered": sign(asked._replace(method="PUT"), "cloud", FIRST),
        "body tampered": sign(asked._replace(body=b"{}"), "cloud", FIRST),
        "path tampered": sign(asked._replace(target="/api/other"), "cloud", FIRST),
        "query tampered": sign(asked._replace(target=f"{PATH}?a=1"), "cloud", FIRST),
        "wrong scope": sign(asked, "grafana", READER),
    }[refused]


@pytest.mark.parametrize(
    ("refused", "status", "expected"),
    [
        ("missing", 401, "signature-missing"),
        ("bad signature", 401, "signature-refused"),
        ("not ours", 401, "signature-refused"),
        ("stale", 401, "signature-stale"),
        ("future", 401, "signature-early"),
        ("unknown client", 401, "client-unknown"),
        ("third key", 401, "signature-refused"),
        ("another client's key", 401, "signature-refused"),
        ("method tampered", 401, "signature-refused"),
        ("body tampered", 401, "signature-refused"),
        ("path tampered", 401, "signature-refused"),
        ("query tampered", 401, "signature-refused"),
        ("wrong scope", 403, "scope-missing"),
    ],
)
def test_what_is_refused_changes_nothing_and_says_why(
    gateway: Gateway, refused: str, status: int, expected: str
) -> None:
    answer = gateway.ask("POST", PATH, content=BODY, headers=JSON | headers_for(refused))
    assert (answer.status_code, kind(answer)) == (status, expected)
    assert gateway.notes == []


def test_a_query_that_was_not_signed_is_refused(gateway: Gateway) -> None:
    headers = sign(Asked("POST", PATH, BODY), "cloud", FIRST)
    answer = gateway.ask("POST", f"{PATH}?a=1", content=BODY, headers=JSON | headers)
    assert kind(answer) == "signature-refused"


@pytest.mark.parametrize("key", [FIRST, SECOND])
def test_either_of_two_keys_gets_in(gateway: Gateway, key: bytes) -> None:
    assert gateway.signed(by=("cloud", key)).status_code == 200
    assert gateway.notes == ["the kitchen is closed"]


def test_a_nonce_is_good_once(gateway: Gateway) -> None:
    headers = JSON | sign(Asked("POST", PATH, BODY), "cloud", FIRST)
    assert gateway.ask("POST", PATH, content=BODY, headers=headers).status_code == 200
    again = gateway.ask("POST", PATH, content=BODY, headers=headers)
    assert (again.status_code, kind(again)) == (401, "nonce-used")


def test_nothing_of_the_api_is_shown_to_who_has_not_signed(gateway: Gateway) -> None:
    for method, path in (("GET", "/api/nothing"), ("DELETE", PATH), ("GET", "/metrics")):
        assert kind(gateway.ask(method, path)) == "signature-missing"
    assert kind(gateway.ask("GET", "/nothing")) == "not-found"
    assert kind(gateway.signed("GET", "/api/nothing", b"")) == "not-found"
    assert kind(gateway.signed("DELETE", PATH, b"")) == "method-not-allowed"


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b'{"text": "a", "text": "b"}', {}, (400, "not-strict-json")),
        (b'{"text": NaN}', {}, (400, "not-strict-json")),
        (b'{"text": "a"', {}, (400, "not-strict-json")),
        (BODY, {"Content-Type": "text/plain"}, (415, "not-json")),
        (BODY, {"Content-Type": "application/json; charset=latin-1"}, (415, "not-json")),
        (BODY, {"Content-Encoding": "gzip"}, (415, "not-json")),
        (b'{"text": "a", "other": 1}', {}, (422, "invalid-request")),
        (b"{}", {}, (422, "invalid-request")),
        (b" " * 1_000_001, {}, (413, "body-too-large")),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_body_means_one_thing_only(
    gateway: Gateway, body: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    answer = gateway.signed(body=body, more=headers)
    assert (answer.status_code, kind(answer)) == expected
    assert gateway.notes == []


def test_prometheus_reads_the_metrics_with_a_bearer_and_nothing_else(gateway: Gateway) -> None:
    bearer = {"Authorization": f"Bearer {encoded(READER)}"}
    assert gateway.ask("GET", "/metrics", headers=bearer).status_code in {200, 404}
    assert kind(gateway.ask("GET", "/api/figures", headers=bearer)) == "signature-missing"
    other = {"Authorization": f"Bearer {encoded(FIRST)}"}
    assert kind(gateway.ask("GET", "/metrics", headers=other)) == "signature-missing"
    assert kind(gateway.signed("GET", "/api/figures", b"")) == "scope-missing"


def test_a_request_id_goes_in_and_out_and_into_the_audit(gateway: Gateway) -> None:
    answer = gateway.signed(more={REQUEST_ID: "from-the-cloud.7"})
    assert answer.headers[REQUEST_ID] == "from-the-cloud.7"
    assert kind(gateway.signed(target="/api/nothing"))
    done, missed = [
        entry for entry in audit.entries(gateway.database) if entry.action == "request.post"
    ]
    assert (done.actor, done.outcome, done.request_id) == ("cloud", "ok", "from-the-cloud.7")
    assert done.address == "127.0.0.0/24"
    assert missed.outcome == "not-found"
    assert gateway.signed(more={REQUEST_ID: "of two words"}).headers[REQUEST_ID] != "of two words"


def test_who_may_not_is_in_the_audit_and_who_only_reads_is_not(gateway: Gateway) -> None:
    gateway.signed(by=("grafana", READER))
    gateway.signed("GET", "/api/figures", b"", by=("grafana", READER))
    found = [(entry.actor, entry.outcome) for entry in audit.entries(gateway.database)]
    assert found == [("grafana", "scope-missing")]


def test_a_client_over_its_limit_hinders_nobody_else(
    tmp_path: Path, redis_url: str, loop: asyncio.AbstractEventLoop
) -> None:
    gateway = Gateway(make_settings(tmp_path, redis_url, requests_per_minute=3), loop)
    for left in (2, 1, 0):
        answer = gateway.signed()
        assert answer.status_code == 200
        assert answer.headers["RateLimit-Policy"].startswith('"default";q=3;w=60')
        assert answer.headers["RateLimit-Policy"].endswith(', "notes";q=5;w=60')
        assert answer.headers["RateLimit"].startswith(f'"default";r={left};t=')
    over = gateway.signed()
    assert (over.status_code, kind(over)) == (429, "too-many-requests")
    assert 1 <= int(over.headers["Retry-After"]) <= 60
    assert gateway.signed("GET", "/api/figures", b"", by=("grafana", READER)).status_code == 200
    # Whoever claims to be a client uses up what their address may, not what the client may.
    refused = [gateway.signed(by=("grafana", THIRD)) for _ in range(4)]
    assert [answer.status_code for answer in refused] == [401, 401, 401, 429]
    assert gateway.signed("GET", "/api/figures", b"", by=("grafana", READER)).status_code == 200


def test_a_route_may_have_a_limit_of_its_own(gateway: Gateway) -> None:
    assert [gateway.signed().status_code for _ in range(6)] == [200] * 5 + [429]
    assert kind(gateway.signed("GET", "/api/nothing", b"")) == "not-found"


def test_visitors_are_counted_by_their_own_address(
    tmp_path: Path, redis_url: str, loop: asyncio.AbstractEventLoop
) -> None:
    gateway = Gateway(make_settings(tmp_path, redis_url, requests_per_minute=2), loop)

    def statuses(address: str | None) -> list[int]:
        headers = {"CF-Connecting-IP": address} if address else {}
        return [gateway.ask("GET", "/nothing", headers=headers).status_code for _ in range(3)]

    assert statuses("2001:db8::1") == [404, 404, 429]
    assert statuses("2001:db8::2") == [429, 429, 429]  # the same /64
    assert statuses("203.0.113.9") == [404, 404, 429]
    assert statuses(None) == [404, 404, 404]


@pytest.mark.thorough
def test_while_redis_is_away_the_api_is_closed_and_health_is_not(
    tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    gateway = Gateway(make_settings(tmp_path, f"redis://127.0.0.1:{free_port()}/0"), loop)
    answer = gateway.signed()
    assert (answer.status_code, kind(answer)) == (503, "limits-unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert gateway.notes == []
    assert kind(gateway.ask("GET", "/api/pauses")) == "signature-missing"
    visitor = {"CF-Connecting-IP": "203.0.113.9"}
    assert "redis" in gateway.ask("GET", "/health", headers=visitor).json()


def test_what_nobody_foresaw_is_a_problem_without_its_message(gateway: Gateway) -> None:
    @gateway.app.post("/api/broken")
    def broken() -> None:
        raise ZeroDivisionError("+39 000 0000001")

    answer = gateway.signed(target="/api/broken", body=b"")
    assert (answer.status_code, kind(answer)) == (500, "internal-error")
    assert "+39" not in answer.text
    assert audit.entries(gateway.database)[-1].outcome == "internal-error"


def test_cloudflare_access_is_asked_of_visitors_only(
    tmp_path: Path, redis_url: str, loop: asyncio.AbstractEventLoop
) -> None:
    team = f"http://127.0.0.1:{free_port()}"
    more = {"access_team_domain": team, "access_audience": "invented"}
    gateway = Gateway(make_settings(tmp_path, redis_url, **more), loop)
    visitor = gateway.signed(more={"CF-Connecting-IP": "203.0.113.9"})
    assert (visitor.status_code, kind(visitor)) == (403, "access-refused")
    assert gateway.signed().status_code == 200

"""The door: what is refused leaves no row, what is accepted is kept once."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from app.providers.registry import WEBHOOKS
from app.settings import ProviderName
from app.store.database import Database
from tests.support.events import encode, envelope, inbound, signed
from tests.support.guest import all_settled, post, sent_keys
from tests.support.processes import WEBHOOK_SECRET, Stack

LARGEST_BODY = WEBHOOKS[ProviderName.SPOKI].largest_body


def rows(stack: Stack) -> list[dict[str, Any]]:
    return [dict(row) for row in Database(stack.database).all("SELECT * FROM inbox")]


def raw_post(stack: Stack, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return httpx.post(f"{stack.gateway_url}/webhooks/spoki", content=body, headers=headers)


@pytest.mark.parametrize("kind", ["missing", "bad", "old", "other secret", "malformed"])
def test_a_bad_signature_is_refused_and_leaves_no_row(idle: Stack, kind: str) -> None:
    body = encode(inbound("Ciao"))
    headers = {
        "missing": {},
        "bad": signed(body + b" ", WEBHOOK_SECRET),
        "old": signed(body, WEBHOOK_SECRET, at=time.time() - 301),
        "other secret": signed(body, "another secret"),
        "malformed": {"X-Spoki-Signature": "v2"},
    }[kind]
    answer = raw_post(idle, body, headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:portiere:problem:signature-refused"
    assert rows(idle) == []


@pytest.mark.parametrize("body", [b"", b"hello", b"[1]", b"{}", b"\xff\xfe", b'{"event": 3}'])
def test_a_body_that_is_no_event_is_refused_clearly(idle: Stack, body: bytes) -> None:
    answer = raw_post(idle, body, signed(body, WEBHOOK_SECRET))
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:portiere:problem:not-an-event"
    assert rows(idle) == []


def test_a_body_of_just_the_limit_is_read_and_one_byte_more_is_not(idle: Stack) -> None:
    body = encode(inbound("x"))
    fitting = body + b" " * (LARGEST_BODY - len(body))
    assert raw_post(idle, fitting, signed(fitting, WEBHOOK_SECRET)).status_code == 200
    larger = fitting + b" "
    assert raw_post(idle, larger, signed(larger, WEBHOOK_SECRET)).status_code == 413
    assert len(rows(idle)) == 1


def test_a_body_that_hides_its_size_is_cut_off(idle: Stack) -> None:
    with socket.create_connection(("127.0.0.1", idle.gateway_port), timeout=10) as client:
        client.sendall(
            b"POST /webhooks/spoki HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        client.sendall(chunk * 17)
        assert client.recv(4096).startswith(b"HTTP/1.1 413")
    assert rows(idle) == []


@pytest.mark.parametrize(
    "event",
    [
        envelope("contact.created", {"id": 1}),
        envelope("something.new", None),
        envelope("message.inbound", {"unexpected": True}),
        inbound("x", phone="nonsense"),
    ],
)
def test_an_unknown_event_is_kept_and_marked(idle: Stack, event: dict[str, Any]) -> None:
    assert post(idle, event).status_code == 200
    (row,) = rows(idle)
    assert row["state"] == "ignored"
    assert row["note"]


def test_the_same_event_fifty_times_at_once_is_one_row_and_one_reply(running: Stack) -> None:
    event = inbound("Buongiorno, a che ora posso fare il check-in?")
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: post(running, event), range(50)))
    assert [answer.status_code for answer in answers] == [200] * 50
    assert sum(not answer.json()["duplicate"] for answer in answers) == 1
    all_settled(running, 1)
    assert list(sent_keys(running).values()) == [1]
    assert len([row for row in rows(running) if row["event"] == "message.inbound"]) == 1


def test_the_same_message_under_another_event_id_gets_one_reply(running: Stack) -> None:
    first = inbound("Buongiorno!")
    second = first | {"event_uuid": "00000000-0000-4000-8000-0000000000ff"}
    assert post(running, first).status_code == 200
    assert post(running, second).status_code == 200
    all_settled(running, 1)
    assert list(sent_keys(running).values()) == [1]


def test_health_tells_the_state_of_every_part(running: Stack) -> None:
    answer = httpx.get(f"{running.gateway_url}/health")
    assert answer.status_code == 200
    health = answer.json()
    assert health["status"] == "ok"
    assert health["role"] == "leader"
    assert health["redis"]["ok"]
    assert health["database"]["ok"]
    assert health["queue"] == {"queued": 0, "unanswered": 0, "unsent": 0, "oldest_seconds": 0}
    assert health["uptime_seconds"] > 0


def test_health_fails_when_redis_is_gone_and_events_are_accepted_all_the_same(
    own: Stack,
) -> None:
    own.redis.kill()
    answer = httpx.get(f"{own.gateway_url}/health", timeout=20)
    assert answer.status_code == 503
    assert answer.json()["redis"]["ok"] is False
    assert answer.json()["database"]["ok"] is True
    assert post(own, inbound("Ciao")).status_code == 200
    assert len(rows(own)) == 1

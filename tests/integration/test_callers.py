"""Who calls, with real processes: one limit for all, slow senders, Redis away, the audit."""

import base64
import json
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.signing import SignedAuth
from tests.support.events import inbound
from tests.support.guest import post
from tests.support.processes import (
    PORTIERE,
    Process,
    Stack,
    free_port,
    redis_server,
    stack,
    wait_for_http,
)

CLOUD, OTHER = b"c" * 32, b"o" * 32
CLIENTS = json.dumps(
    {
        name: {"keys": [base64.b64encode(key).decode()], "scopes": ["commands"]}
        for name, key in (("cloud", CLOUD), ("other", OTHER))
    }
)
PROCESSES = 4
LIMIT = 100


@pytest.fixture
def called(tmp_path: Path) -> Iterator[Stack]:
    """A gateway that two clients may call."""
    with stack(tmp_path, PORTIERE_API_CLIENTS=CLIENTS) as found:
        found.start_gateway()
        yield found


@pytest.fixture
def four(tmp_path: Path) -> Iterator[list[str]]:
    """Four gateways over one database and one Redis: their addresses."""
    with redis_server(tmp_path) as (redis, url):
        gateways = [
            Stack(tmp_path, redis, url, {"PORTIERE_API_CLIENTS": CLIENTS}, gateway_port=free_port())
            for _ in range(PROCESSES)
        ]
        processes = [
            Process([PORTIERE, "serve"], one.env, tmp_path / f"serve-{number}.log")
            for number, one in enumerate(gateways)
        ]
        try:
            for process, one in zip(processes, gateways, strict=True):
                process.start()
                wait_for_http(process, f"{one.gateway_url}/health")
            yield [one.gateway_url for one in gateways]
        finally:
            for process in processes:
                if hasattr(process, "popen"):
                    process.stop()


def statuses(url: str, client: str, key: bytes, count: int) -> Counter[int]:
    """How ``count`` signed requests for what isn't there were answered: 404 is let through."""
    with httpx.Client(base_url=url, auth=SignedAuth(client, key), timeout=30) as caller:
        return Counter(caller.get("/api/nothing").status_code for _ in range(count))


def test_four_processes_have_one_limit_and_another_client_is_not_touched(four: list[str]) -> None:
    """All within one real minute: 400 requests for 100, and 80 of the other client's beside."""
    with ThreadPoolExecutor(2 * PROCESSES) as pool:
        over = [pool.submit(statuses, url, "cloud", CLOUD, LIMIT) for url in four]
        beside = [pool.submit(statuses, url, "other", OTHER, 20) for url in four]
        of_cloud = sum((one.result() for one in over), Counter[int]())
        of_other = sum((one.result() for one in beside), Counter[int]())
    assert set(of_cloud) == {404, 429}
    assert abs(of_cloud[404] - LIMIT) <= 2
    assert of_other == {404: 80}


def test_a_nonce_is_good_once_whichever_process_it_comes_to(four: list[str]) -> None:
    request = httpx.Request("GET", f"{four[0]}/api/nothing")
    signed = next(SignedAuth("cloud", CLOUD).auth_flow(request))
    answers = [httpx.get(f"{url}/api/nothing", headers=signed.headers) for url in four]
    assert [answer.status_code for answer in answers] == [404, 401, 401, 401]


def test_while_redis_is_away_webhooks_come_in_and_the_api_is_closed(called: Stack) -> None:
    called.redis.kill()
    assert post(called, inbound("Ciao")).status_code == 200
    assert statuses(called.gateway_url, "cloud", CLOUD, 1) == {503: 1}


def test_who_sends_too_slowly_is_cut_off(called: Stack) -> None:
    """Headers that never end get no answer, bodies a 408; all are waited for at once."""
    body = b"Host: x\r\nContent-Length: 9\r\n\r\n{"
    with ThreadPoolExecutor(4) as pool:
        nothing = pool.submit(until_closed, called, b"")
        headers = pool.submit(until_closed, called, b"GET /health HTTP/1.1\r\nX-Slow: ")
        webhook = pool.submit(until_closed, called, b"POST /webhooks/spoki HTTP/1.1\r\n" + body)
        api = pool.submit(until_closed, called, b"POST /api/commands HTTP/1.1\r\n" + body)
    assert nothing.result() == headers.result() == b""
    assert webhook.result().startswith(b"HTTP/1.1 408")
    assert api.result().startswith(b"HTTP/1.1 408")


def until_closed(called: Stack, sent: bytes) -> bytes:
    """What the gateway answers before it closes the connection."""
    with socket.create_connection(("127.0.0.1", called.gateway_port), timeout=60) as client:
        client.sendall(sent)
        got = b""
        while chunk := client.recv(4096):
            got += chunk
    return got


def test_the_audit_is_shown_by_who_what_and_since(called: Stack) -> None:
    with httpx.Client(base_url=called.gateway_url, auth=SignedAuth("cloud", CLOUD)) as caller:
        assert caller.post("/api/nothing", json={}).status_code == 404

    def shown(*arguments: str) -> str:
        command = [PORTIERE, "audit", *arguments]
        ran = subprocess.run(
            command, env=called.env, capture_output=True, text=True, check=False, timeout=60
        )
        return ran.stdout + ran.stderr

    entry = json.loads(shown("--json", "--since", "1h", "--actor", "cloud", "--action", "request"))
    assert (entry["actor"], entry["outcome"]) == ("cloud", "not-found")
    assert entry["address"] == "127.0.0.0/24"
    assert entry["request_id"] in shown()
    assert shown("--actor", "other") == "Nothing fits.\n"
    assert shown("--since", "2099-01-01") == "Nothing fits.\n"
    assert "30m, 12h, 7d" in shown("--since", "lately")

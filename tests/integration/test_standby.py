"""The standby's door: what comes in there goes on to the leader, or is refused clearly."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.events import encode, inbound, signed
from tests.support.guest import all_settled, sent_keys
from tests.support.processes import (
    PORTIERE,
    WEBHOOK_SECRET,
    Process,
    Stack,
    free_port,
    wait_for_http,
)


@pytest.fixture
def standby(own: Stack) -> Iterator[str]:
    """A standby's gateway beside the stack; its URL."""
    port = free_port()
    env = own.env | {
        "PORTIERE_ROLE": "standby",
        "PORTIERE_LEADER_URL": own.gateway_url,
        "PORTIERE_GATEWAY_BIND": f"127.0.0.1:{port}",
        "PORTIERE_DATABASE": str(own.directory / "none.db"),
    }
    process = Process([PORTIERE, "serve"], env, own.directory / "standby.log")
    process.start()
    url = f"http://127.0.0.1:{port}"
    wait_for_http(process, f"{url}/health")
    yield url
    process.stop()


def post(url: str, body: bytes, secret: str = WEBHOOK_SECRET) -> httpx.Response:
    return httpx.post(f"{url}/webhooks/spoki", content=body, headers=signed(body, secret))


def test_an_event_at_both_doors_is_answered_once(own: Stack, standby: str) -> None:
    own.start_worker()
    body = encode(inbound("Buongiorno, a che ora è la colazione?"))
    first, second = post(standby, body), post(own.gateway_url, body)
    assert (first.status_code, first.json()["duplicate"]) == (200, False)
    assert (second.status_code, second.json()["duplicate"]) == (200, True)
    all_settled(own, 1)
    assert list(sent_keys(own).values()) == [1]


def test_a_bad_signature_goes_no_further(own: Stack, standby: str) -> None:
    assert post(standby, encode(inbound("Ciao")), "another secret").status_code == 401


def test_what_the_leader_can_t_take_is_not_accepted(own: Stack, standby: str) -> None:
    own.gateway.kill()
    answer = post(standby, encode(inbound("Ciao")))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"
    assert answer.json()["type"] == "urn:portiere:problem:leader-unreachable"


def test_health_says_whether_the_leader_is_reached(own: Stack, standby: str) -> None:
    health = httpx.get(f"{standby}/health").json()
    assert (health["role"], health["leader"]["ok"]) == ("standby", True)
    own.gateway.kill()
    answer = httpx.get(f"{standby}/health")
    assert answer.status_code == 200
    assert answer.json()["leader"]["ok"] is False

"""Commands by both ways at once, whatever breaks: done once, in order, reported once."""

import base64
import json
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.commands.registry import CommandName
from app.store.database import open_database
from tests.integration.conftest import IMPATIENT
from tests.support.cloud import CLIENT, CLIENT_KEY, NODE_KEY, Cloud
from tests.support.dying_worker import Nursery
from tests.support.processes import (
    PORTIERE,
    Process,
    Stack,
    eventually,
    stack,
    start_and_wait,
)
from tests.unit.commands.test_schemas import JSON, PAYLOADS

GUEST = "+390000000001"
HELLO = {"phone": GUEST, "text": "Good morning from the desk"}


def settings(cloud: Cloud) -> dict[str, str]:
    """What a desk with that cloud is set up by."""
    scopes = ["commands", "guests", "jobs", "queues"]
    key = base64.b64encode(CLIENT_KEY).decode()
    return {
        **IMPATIENT,
        "PORTIERE_API_CLIENTS": json.dumps({CLIENT: {"keys": [key], "scopes": scopes}}),
        "PORTIERE_REQUESTS_PER_MINUTE": "100000",
        "PORTIERE_CLOUD_URL": cloud.url,
        "PORTIERE_CLOUD_KEY": base64.b64encode(NODE_KEY).decode(),
    }


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    found = Cloud(longest_wait=1)
    yield found
    found.stop()
    assert found.violations == []


@pytest.fixture
def desk(tmp_path: Path, cloud: Cloud) -> Iterator[Stack]:
    """A gateway, and a sandbox for what is sent; worker and node not started."""
    with stack(tmp_path, **settings(cloud)) as found:
        found.start_sandbox()
        found.start_gateway()
        yield found


def rows(desk: Stack, sql: str) -> list[dict[str, Any]]:
    database = open_database(desk.database)
    found = [dict(row) for row in database.all(sql)]
    database.close()
    return found


def states(desk: Stack) -> list[tuple[str, str]]:
    found = rows(desk, "SELECT state, came_by FROM commands ORDER BY id")
    return [(row["state"], row["came_by"]) for row in found]


def push(
    desk: Stack, cloud: Cloud, name: str, payload: Any, command_id: str | None = None
) -> httpx.Response:
    """Push a command as the cloud does."""
    body = {"name": name, "payload": payload} | ({"id": command_id} if command_id else {})
    with httpx.Client(auth=cloud.auth, timeout=20) as client:
        return client.post(
            f"{desk.gateway_url}/api/commands",
            json=body,
            headers={"Idempotency-Key": command_id or "key-1"},
        )


def push_without_hearing(desk: Stack, cloud: Cloud, payload: Any, command_id: str) -> None:
    """Push a command over a tunnel that dies before the answer."""
    request = httpx.Request(
        "POST",
        f"{desk.gateway_url}/api/commands",
        json={"id": command_id, "name": "SEND_MESSAGE", "payload": payload},
        headers={"Idempotency-Key": command_id},
    )
    signed = next(cloud.auth.auth_flow(request))
    head = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())
    with socket.create_connection(("127.0.0.1", desk.gateway_port)) as tunnel:
        tunnel.sendall(f"POST /api/commands HTTP/1.1\r\n{head}\r\n".encode() + signed.content)


def test_the_tunnel_dies_before_the_answer_and_the_pull_brings_it_again(
    desk: Stack, cloud: Cloud
) -> None:
    push_without_hearing(desk, cloud, HELLO, "c1")
    eventually(lambda: states(desk), "the push was kept")
    cloud.offer("SEND_MESSAGE", HELLO, id="c1")
    cloud.start()
    desk.start_node()
    eventually(lambda: cloud.polls > 1, "the pull brought it as well")
    assert states(desk) == [("received", "push")]
    desk.start_worker()
    eventually(lambda: cloud.is_settled("c1"), "it is done and reported")
    eventually(lambda: cloud.polls > 3, "the cloud was asked again since")
    assert states(desk) == [("done", "push")]
    assert len(rows(desk, "SELECT id FROM outbox")) == 1
    (report,) = cloud.reports("c1")
    assert report["state"] == "done"
    assert desk.node.stop() == 0


def test_node_and_worker_are_killed_between_doing_and_reporting(desk: Stack, cloud: Cloud) -> None:
    cloud.start()
    desk.start_node()
    eventually(lambda: cloud.polls, "the node listens")
    cloud.offer("SEND_MESSAGE", HELLO, id="c1")
    eventually(lambda: states(desk), "it was pulled")
    cloud.stop()
    desk.start_worker()
    eventually(lambda: states(desk) == [("done", "pull")], "it is done")
    desk.worker.kill()
    desk.node.kill()
    assert cloud.reports("c1") == []

    cloud.start()
    desk.start_worker()
    desk.start_node()
    eventually(lambda: cloud.is_settled("c1"), "it is reported")
    assert states(desk) == [("done", "pull")]
    assert len(rows(desk, "SELECT id FROM outbox")) == 1
    assert len(cloud.reports("c1")) == 1


@pytest.mark.parametrize("moment", ["before-command", "after-finish", "after-command"])
def test_the_worker_is_killed_while_it_carries_out(desk: Stack, cloud: Cloud, moment: str) -> None:
    cloud.offer("SEND_MESSAGE", HELLO, id="c1")
    cloud.start()
    nursery = Nursery(desk.env, desk.directory / "nursery.log")
    try:
        desk.start_node()
        nursery.start(moment)
        assert nursery.wait() == -9
        done = moment == "after-command"
        assert states(desk) == [("done" if done else "received", "pull")]
        assert len(rows(desk, "SELECT id FROM outbox")) == done
    finally:
        nursery.close()
    desk.start_worker()
    eventually(lambda: cloud.is_settled("c1"), "it is done and reported")
    assert len(rows(desk, "SELECT id FROM outbox")) == 1
    assert len(cloud.reports("c1")) == 1


def test_the_answer_to_a_poll_is_lost(desk: Stack, cloud: Cloud) -> None:
    cloud.offer("SEND_MESSAGE", HELLO, id="c1")
    cloud.cut_next(3)
    cloud.start()
    desk.start_worker()
    desk.start_node()
    eventually(lambda: cloud.is_settled("c1"), "it is done and reported")
    assert len(rows(desk, "SELECT id FROM outbox")) == 1
    assert len(cloud.reports("c1")) == 1


def test_twenty_at_once_and_the_pull_are_one(desk: Stack, cloud: Cloud) -> None:
    cloud.offer("SEND_MESSAGE", HELLO, id="c1")
    cloud.start()
    desk.start_worker()
    desk.start_node()
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(lambda _: push(desk, cloud, "SEND_MESSAGE", HELLO, "c1"), range(20))
        )
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["id"] for answer in answers} == {"c1"}
    eventually(lambda: cloud.is_settled("c1"), "it is done and reported")
    assert len(states(desk)) == 1
    assert len(rows(desk, "SELECT id FROM outbox")) == 1
    assert len(cloud.reports("c1")) == 1

    other = push(desk, cloud, "SEND_MESSAGE", {**HELLO, "text": "something else"}, "c1")
    assert (other.status_code, other.json()["type"]) == (
        409,
        "urn:portiere:problem:command-conflict",
    )


def test_each_guest_keeps_their_order_with_several_workers(desk: Stack, cloud: Cloud) -> None:
    phones = [f"+39000000001{n}" for n in range(3)]
    for number in range(12):
        for phone in phones:
            key = f"{phone[-2:]}-{number}"
            answer = push(desk, cloud, "SEND_MESSAGE", {"phone": phone, "text": f"{number}"}, key)
            assert answer.status_code == 202
    second = Process([PORTIERE, "work"], desk.env, desk.directory / "second.log")
    desk.start_worker()
    start_and_wait(second, "worker_ready")
    try:
        eventually(lambda: {state for state, _ in states(desk)} == {"done"}, "all are carried out")
    finally:
        second.stop()
    keys = [row["idempotency_key"] for row in rows(desk, "SELECT * FROM outbox ORDER BY id")]
    for phone in phones:
        mine = [key for key in keys if key.startswith(f"command:{phone[-2:]}-")]
        assert mine == [f"command:{phone[-2:]}-{number}" for number in range(12)]


def test_what_cannot_be_understood_is_reported_once_and_offered_no_more(
    desk: Stack, cloud: Cloud
) -> None:
    cloud.offer("MAKE_COFFEE", {}, id="c1")
    cloud.offer("SEND_MESSAGE", {"phone": "nobody", "text": "x"}, id="c2")
    cloud.start()
    desk.start_node()
    for command_id in ("c1", "c2"):
        eventually(lambda one=command_id: cloud.is_settled(one), "it is refused")  # type: ignore[misc]
        (report,) = cloud.reports(command_id)
        assert (report["state"], report["error"]["code"]) == ("failed", "invalid")
    assert states(desk) == []


def test_the_queue_is_filled_anew_and_what_is_open_is_told(desk: Stack, cloud: Cloud) -> None:
    push(desk, cloud, "SEND_MESSAGE", HELLO, "c1")
    with httpx.Client(base_url=desk.gateway_url, auth=cloud.auth) as client:
        active = client.get("/api/jobs/active").json()
        assert [(one["queue"], one["rows"]) for one in active["open"]] == [("commands", 1)]
        assert client.post("/api/sync/queue").json() == {
            "sent": 1,
            "replica_acknowledged": False,
        }
        status = client.get("/api/commands/c1").json()
        assert (status["state"], status["came_by"]) == ("received", "push")
        assert client.get("/api/commands/nothing").status_code == 404
        desk.redis.kill()
        gone = client.post("/api/sync/queue")
        assert (gone.status_code, gone.headers["content-type"]) == (503, "application/problem+json")


def test_stays_are_found_without_saying_who_the_guest_is(desk: Stack, cloud: Cloud) -> None:
    desk.start_worker()
    stay = {"channel": "direct", "status": "confirmed", "arrival": "2020-01-01", "phone": GUEST}
    far = {**stay, "arrival": "2090-01-01", "flight_number": "AZ 1572"}
    for code, payload in (("A", stay), ("B", stay), ("C", far)):
        push(desk, cloud, "UPSERT_BOOKING", {**payload, "code": code}, code)
    eventually(lambda: {state for state, _ in states(desk)} == {"done"}, "all are kept")
    with httpx.Client(base_url=desk.gateway_url, auth=cloud.auth) as client:
        first = client.get("/api/guests/active", params={"limit": 1})
        second = client.get("/api/guests/active", params={"after": first.json()["next"]})
        found = first.json()["stays"] + second.json()["stays"]
        assert [one["code"] for one in found] == ["A", "B"]
        flight = {"flight_number": "AZ1572", "date": "2090-01-01"}
        by_flight = client.post("/api/guests/by-flight", json=flight)
        assert [one["code"] for one in by_flight.json()["stays"]] == ["C"]
    assert GUEST.removeprefix("+") not in first.text + second.text + by_flight.text


def test_whatever_is_posted_is_never_an_error_of_ours(desk: Stack, cloud: Cloud) -> None:
    answers: Counter[int] = Counter()

    @hypothesis.settings(deadline=None, max_examples=150)
    @given(name=st.sampled_from(CommandName) | st.text(max_size=10), payload=PAYLOADS | JSON)
    def post(name: str, payload: Any) -> None:
        body = json.dumps({"name": name, "payload": payload})
        headers = {"Idempotency-Key": uuid4().hex, "Content-Type": "application/json"}
        answer = client.post("/api/commands", content=body, headers=headers)
        answers[answer.status_code] += 1
        assert answer.status_code in {202, 400, 422}, answer.text

    with httpx.Client(base_url=desk.gateway_url, auth=cloud.auth) as client:
        post()
    assert answers[422] > 0

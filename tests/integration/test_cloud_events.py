"""The node tells a cloud on a real port: killed in the middle, the cloud gone, its answers lost.

And what was given up, by API and command line.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.events.outgoing import Events
from app.sealing import Seal
from app.signing import SignedAuth
from app.store.database import open_database
from tests.integration.conftest import IMPATIENT
from tests.support.cloud import NODE_KEY, Cloud
from tests.support.guest import portiere
from tests.support.processes import Stack, eventually, stack

KEY = b"o" * 32
CLIENT = {
    "ops": {"keys": [base64.b64encode(KEY).decode()], "scopes": ["queues", "events"]},
}
GUESTS = [bytes([number]) * 32 for number in range(7)]
MANY = 3000


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    found = Cloud(longest_wait=0.5)
    yield found
    found.stop()
    assert found.violations == []


@pytest.fixture
def desk(tmp_path: Path, cloud: Cloud) -> Iterator[Stack]:
    overrides = IMPATIENT | {
        "PORTIERE_API_CLIENTS": json.dumps(CLIENT),
        "PORTIERE_BREAKER_REST": "1",
        "PORTIERE_CLOUD_URL": cloud.url,
        "PORTIERE_CLOUD_KEY": base64.b64encode(NODE_KEY).decode(),
    }
    with stack(tmp_path, **overrides) as found:
        yield found


def happen(desk: Stack, numbers: range) -> None:
    """Events of several guests, one after another."""
    database = open_database(desk.database)
    events = Events(database, Seal({"k1": b"s" * 32}, b"i" * 32), enabled=True)
    with database.transaction() as connection:
        for number in numbers:
            payload = {"number": number}
            events.record(connection, "custom.test", payload, GUESTS[number % len(GUESTS)])
    database.close()


def change(desk: Stack, sql: str) -> None:
    database = open_database(desk.database)
    with database.transaction() as connection:
        connection.execute(sql)
    database.close()


def states(desk: Stack) -> set[str]:
    database = open_database(desk.database)
    found = {row["state"] for row in database.all("SELECT DISTINCT state FROM cloud_events")}
    database.close()
    return found


def told(cloud: Cloud) -> dict[str | None, list[int]]:
    """The numbers as the cloud heard them, by guest."""
    found: dict[str | None, list[int]] = {}
    for event in list(cloud.events.values()):
        found.setdefault(event["guest"], []).append(event["payload"]["number"])
    return found


def api(desk: Stack, method: str, path: str, body: Any = None) -> httpx.Response:
    with httpx.Client(auth=SignedAuth("ops", KEY), base_url=desk.gateway_url) as client:
        return client.request(method, path, json=body)


def test_a_node_that_is_killed_over_and_over(desk: Stack, cloud: Cloud) -> None:
    happen(desk, range(MANY))
    cloud.start()
    for _ in range(4):
        cloud.cut_next(2)  # the pull's or the telling's: it took them, and was not heard
        before = cloud.deliveries
        desk.start_node()
        eventually(lambda before=before: cloud.deliveries > before, "some are told")  # type: ignore[misc]
        desk.node.kill()
    desk.start_node()
    eventually(lambda: states(desk) == {"delivered"}, "all are told")
    assert told(cloud) == {
        guest.hex(): list(range(first, MANY, len(GUESTS))) for first, guest in enumerate(GUESTS)
    }


def test_a_cloud_that_is_gone_for_a_while_is_told_when_it_is_back(
    desk: Stack, cloud: Cloud
) -> None:
    desk.start_node()
    happen(desk, range(10))
    eventually(lambda: "events_untold" in desk.node.log.read_text(), "it was tried")
    cloud.start()
    # By the next pull, which rests 25 s at most.
    eventually(lambda: states(desk) == {"delivered"}, "all are told")
    cloud.stop()
    happen(desk, range(10, 20))
    cloud.start()
    eventually(lambda: len(cloud.events) == 20, "the others are told too")
    assert sorted(number for one in told(cloud).values() for number in one) == list(range(20))


def test_a_tool_tells_the_cloud_something(desk: Stack, cloud: Cloud) -> None:
    desk.start_gateway()
    event = {"name": "custom.boiler.cold", "payload": {"number": 12}, "id": "boiler-1"}
    first, again = (api(desk, "POST", "/api/events", event) for _ in range(2))
    assert (first.status_code, first.json()) == (202, {"id": "ops:boiler-1", "duplicate": False})
    assert again.json() == {"id": "ops:boiler-1", "duplicate": True}
    for name in ("message.sent", "custom.", "custom.Ä"):
        refused = api(desk, "POST", "/api/events", {"name": name, "payload": {}})
        assert refused.status_code == 422, name
    cloud.start()
    desk.start_node()
    eventually(lambda: list(cloud.events) == ["ops:boiler-1"], "the cloud knows")
    assert told(cloud) == {None: [12]}


def test_dead_letters_by_api_and_command_line(desk: Stack, cloud: Cloud) -> None:
    desk.start_gateway()
    happen(desk, range(6))
    change(desk, "UPDATE cloud_events SET state = 'parked', note = 'rejected: ' || id")
    page = api(desk, "GET", "/api/dead-letters?limit=4").json()
    assert [one["id"] for one in page["letters"]] == [1, 2, 3, 4]
    rest = api(desk, "GET", f"/api/dead-letters?after={page['next']}").json()
    assert ([one["id"] for one in rest["letters"]], rest["next"]) == ([5, 6], None)
    shown = api(desk, "GET", "/api/dead-letters/cloud_events/1").json()
    assert shown["payload"] == "sealed, 12 characters"
    assert '"number":0' in portiere(
        desk, "dead-letters", "show", "cloud_events", "1", "--reveal"
    ).replace('\\"', '"')

    one = "/api/dead-letters/cloud_events/1"
    assert api(desk, "POST", f"{one}/replay", {}).json()["outcome"] == "replayed"
    assert api(desk, "POST", f"{one}/replay", {}).status_code == 404
    two = "/api/dead-letters/cloud_events/2"
    assert api(desk, "POST", f"{two}/discard", {"reason": "a test"}).status_code == 200
    assert api(desk, "POST", f"{two}/discard", {"reason": "a test"}).status_code == 404
    portiere(desk, "dead-letters", "replay", "cloud_events", "3", "--as", "ada")
    portiere(
        desk, "dead-letters", "discard", "cloud_events", "4", "--reason", "test", "--as", "ada"
    )
    some = api(desk, "POST", "/api/dead-letters/replay", {"note": "rejected: 5"})
    assert some.json() == {"replayed": 1, "in_doubt": 0, "more": False}
    portiere(desk, "dead-letters", "replay-all", "--kind", "cloud_events", "--as", "ada")
    assert portiere(desk, "dead-letters", "list") == ""

    audited = [
        (entry["actor"], entry["action"], entry["target"])
        for entry in audit(desk)
        if entry["action"].startswith("dead_letter.") and entry["action"] != "dead_letter.revealed"
    ]
    assert audited == [
        ("ops", "dead_letter.replayed", "cloud_events:1"),
        ("ops", "dead_letter.discarded", "cloud_events:2"),
        ("cli:ada", "dead_letter.replayed", "cloud_events:3"),
        ("cli:ada", "dead_letter.discarded", "cloud_events:4"),
        ("ops", "dead_letter.replayed", "cloud_events:5"),
        ("cli:ada", "dead_letter.replayed", "cloud_events:6"),
    ]
    cloud.start()
    desk.start_node()
    eventually(lambda: len(cloud.events) == 4, "what was replayed is told")
    assert sorted(number for one in told(cloud).values() for number in one) == [0, 2, 4, 5]


def audit(desk: Stack) -> list[dict[str, Any]]:
    database = open_database(desk.database)
    found = [dict(row) for row in database.all("SELECT * FROM audit ORDER BY id")]
    database.close()
    return found

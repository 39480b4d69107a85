"""Pausing each queue by command line and API, across restarts; what watchers are shown of it."""

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.messages import pausing
from app.messages.pausing import Queue
from app.signing import SignedAuth
from app.store.database import Database
from tests.integration.conftest import IMPATIENT
from tests.support.events import inbound
from tests.support.guest import portiere, post, sends, states, write
from tests.support.processes import PORTIERE, REPOSITORY, Stack, eventually, stack

KEY = b"o" * 32
SCOPES = ["queues", "metrics"]
CLIENT = {"ops": {"keys": [base64.b64encode(KEY).decode()], "scopes": SCOPES}}
OTHER = "+390000000002"


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    overrides = IMPATIENT | {
        "PORTIERE_API_CLIENTS": json.dumps(CLIENT),
        "PORTIERE_REQUESTS_PER_MINUTE": "100000",
        "PORTIERE_GATEWAY_WORKERS": "2",
    }
    with stack(tmp_path_factory.mktemp("queues"), **overrides) as found:
        found.start_sandbox()
        found.start_gateway()
        found.start_worker()
        yield found


@pytest.fixture
def desk(_running: Stack) -> Stack:
    """A whole stack whose gateway is two processes; nothing is paused."""
    with Database(_running.database).transaction() as connection:
        for queue in Queue:
            pausing.resume(connection, queue)
    eventually(lambda: states(_running).total() == len(sends(_running)), "earlier ones are sent")
    return _running


@pytest.fixture
def api(desk: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=desk.gateway_url, auth=SignedAuth("ops", KEY)) as found:
        yield found


def unanswered(found: Stack) -> int:
    row = Database(found.database).one("SELECT count(*) AS n FROM inbox WHERE state = 'received'")
    return int(row["n"]) if row else 0


def status(found: Stack) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **found.env}
    return subprocess.run(
        [PORTIERE, "status"], env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("queue", [Queue.ANSWERS, Queue.SENDS])
def test_a_pause_outlives_restarts_and_keeps_the_order(
    desk: Stack, api: httpx.Client, queue: Queue
) -> None:
    before = len(sends(desk))
    portiere(desk, "queues", "pause", queue, "--reason", "a rehearsal", "--as", "Anna")
    events = [inbound(f"Ciao {number}") for number in range(4)]
    for event in events:
        assert post(desk, event).status_code == 200
    if queue is Queue.ANSWERS:
        eventually(lambda: unanswered(desk) == 4, "they wait")
    else:
        eventually(lambda: states(desk)["pending"] == 4, "their answers wait")
    desk.worker.kill()
    desk.start_worker()
    emergency = inbound("Aiuto, c'è un incendio!", OTHER)
    assert post(desk, emergency).status_code == 200
    eventually(lambda: len(sends(desk)) == before + 1, "only the emergency is answered")
    (entry,) = [one for one in api.get("/api/queues").json() if one["paused"]]
    assert (entry["queue"], entry["by"], entry["reason"]) == (queue, "cli:Anna", "a rehearsal")

    assert api.post(f"/api/queues/{queue}/resume").json()["paused"] is False
    eventually(lambda: len(sends(desk)) == before + 5, "all are sent")
    keys = [send["metadata"]["correlation_id"] for send in sends(desk)[before + 1 :]]
    assert keys == [f"reply-{event['data']['uuid']}" for event in events]


@pytest.mark.parametrize("queue", list(Queue))
def test_each_queue_is_paused_by_the_api_and_resumed_by_the_command_line(
    desk: Stack, api: httpx.Client, queue: Queue
) -> None:
    paused = api.post(f"/api/queues/{queue}/pause", json={"reason": "a rehearsal"})
    assert (paused.status_code, paused.json()["by"]) == (200, "ops")
    assert f"{queue:<9} paused since" in portiere(desk, "queues", "list")
    assert queue in httpx.get(f"{desk.gateway_url}/ready").json()["paused"]
    assert portiere(desk, "queues", "resume", queue) == f"{queue} goes on.\n"
    assert not any(one["paused"] for one in api.get("/api/queues").json())
    rows = Database(desk.database).all(
        "SELECT actor, action FROM audit WHERE target = ? ORDER BY id DESC LIMIT 2", (queue,)
    )
    assert [row["action"] for row in rows] == ["queue.resumed", "queue.paused"]
    assert rows[1]["actor"] == "ops"


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/api/queues/everything/pause", {"reason": "x"}, 422),
        ("/api/queues/sends/pause", {"reason": " "}, 422),
        ("/api/queues/sends/pause", {}, 422),
    ],
)
def test_a_pause_needs_a_queue_and_a_reason(
    api: httpx.Client, path: str, body: dict[str, str], code: int
) -> None:
    refused = api.post(path, json=body)
    assert refused.status_code == code
    assert refused.json()["type"].startswith("urn:portiere:problem:")


def test_the_processes_count_together_and_say_the_same(desk: Stack, api: httpx.Client) -> None:
    write(desk, "Buongiorno!")
    asked = 'portiere_http_requests_total{method="GET",path="/ready",status="200"} '
    for _ in range(20):
        # A connection each: both processes have some of them.
        assert httpx.get(f"{desk.gateway_url}/ready").status_code == 200
    scraped = api.get("/metrics")
    assert scraped.headers["content-type"].startswith("text/plain")
    counted = next(
        float(line.removeprefix(asked)) for line in scraped.text.splitlines() if asked in line
    )
    assert counted >= 20
    assert 'portiere_up{part="database"} 1.0' in scraped.text
    assert 'portiere_up{part="redis"} 1.0' in scraped.text
    assert "+39" not in scraped.text


def test_every_metric_is_documented_and_no_other(desk: Stack, api: httpx.Client) -> None:
    database = Database(desk.database)
    with database.transaction() as connection:
        connection.execute("INSERT OR IGNORE INTO breakers VALUES ('spoki', 'closed', 0, NULL)")
        connection.execute(
            "INSERT OR IGNORE INTO peers VALUES ('vps', 'link', 'up', 0, 0, 0, 1.5, NULL)"
        )
    named = set(re.findall(r"^# TYPE (\w+) ", api.get("/metrics").text, re.MULTILINE))
    with database.transaction() as connection:
        connection.execute("DELETE FROM peers")
    page = (REPOSITORY / "docs/metrics.md").read_text()
    # This desk leads alone: tests/unit/ha/test_figures.py looks at those of two machines.
    of_one, *_ = page.split("## Of two machines")
    documented = set(re.findall(r"^\| `(portiere_\w+)`", of_one, re.MULTILINE))
    assert named == documented


def test_metrics_are_not_for_everybody(desk: Stack) -> None:
    assert httpx.get(f"{desk.gateway_url}/metrics").status_code == 401


def test_status_shows_it_on_one_screen(desk: Stack) -> None:
    portiere(desk, "queues", "pause", "notices", "--reason", "a rehearsal")
    well = status(desk)
    assert well.returncode == 0, well.stderr
    assert "paused     notices" in well.stdout
    assert len(well.stdout.splitlines()) < 24
    with Database(desk.database).transaction() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO breakers VALUES ('cloud', 'open', 0, 'answered 500')"
        )
    ill = status(desk)
    with Database(desk.database).transaction() as connection:
        connection.execute("DELETE FROM breakers")
    assert ill.returncode == 1
    assert "the breaker around cloud is open: answered 500" in ill.stderr


def test_ready_says_when_it_can_not_work(tmp_path: Path) -> None:
    with stack(tmp_path, **IMPATIENT) as found:
        found.start_gateway()
        assert httpx.get(f"{found.gateway_url}/ready").json()["ready"] is True
        found.redis.kill()
        answer = httpx.get(f"{found.gateway_url}/ready", timeout=20)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
        assert answer.json()["parts"]["redis"]["ok"] is False
        assert status(found).returncode == 1

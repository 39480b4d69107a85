"""The Mac dies with messages that were never replicated; it comes back and hands them over.

Real gateways and workers on both nodes, one provider; the gateway that leads is killed in the midst
of the handing over.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.ha import handing_over
from app.ha.asides import is_handed_over
from app.ha.handing_over import HandedOver, HandOverError, hand_over, since_of
from app.ha.restoring import set_aside
from app.leading import Role
from app.messages import leading
from app.messages.handed_over import highest_ids
from app.signing import SignedAuth
from app.store.database import Database, connect, open_database
from tests.support.events import GUEST, inbound
from tests.support.processes import (
    PORTIERE,
    Process,
    Stack,
    eventually,
    free_port,
    wait_for_http,
)
from tests.support.two_nodes import HA_KEY, Node, Pair, two_nodes

QUESTION = "Buongiorno, a che ora posso fare il check-in?"
OTHER = "+390000000002"


@dataclass
class Desk:
    """Both nodes, and the provider that both send by."""

    pair: Pair
    provider: str

    def sent(self) -> Counter[str]:
        """How often the provider took the message of each key."""
        answer = httpx.get(f"{self.provider}/sandbox/sends", params={"accepted": True})
        sends = answer.raise_for_status().json()["results"]
        return Counter(send["body"]["metadata"]["correlation_id"] for send in sends)

    def await_sent(self, count: int) -> None:
        """Wait until the provider has taken that many."""
        eventually(lambda: self.sent().total() >= count, f"{count} messages are sent")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    port = free_port()
    provider = f"http://127.0.0.1:{port}"
    with two_nodes(tmp_path, PORTIERE_SPOKI_BASE_URL=provider) as pair:
        command = [PORTIERE, "sandbox", "--host", "127.0.0.1", "--port", str(port)]
        sandbox = Process(command, pair.mac.stack.env, tmp_path / "sandbox.log")
        sandbox.start()
        try:
            wait_for_http(sandbox, f"{provider}/sandbox/sends")
            yield Desk(pair, provider)
        finally:
            sandbox.stop()


def test_what_only_the_mac_had_is_answered_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_over, "LARGEST_BATCH", 1)
    mac, vps = desk.pair.mac, desk.pair.vps
    leads(desk.pair, mac, 1, None)
    posted = [written(mac, QUESTION)]
    desk.await_sent(1)
    copy(mac.stack, vps.stack)
    posted += [written(mac, f"{QUESTION} {number}", OTHER) for number in range(3)]
    desk.await_sent(4)
    settled(mac.stack)
    mac.stack.worker.kill()
    posted += [written(mac, f"{QUESTION} {number}") for number in range(2)]  # nobody answers
    mac.stack.gateway.kill()

    leads(desk.pair, vps, 2, found_in(vps.stack))
    aside = set_aside(mac.stack.database, mac.stack.directory / "ha", 1)
    assert aside is not None
    told = handed_over_at_last(vps, aside)

    desk.await_sent(6)
    settled(vps.stack)
    assert desk.sent() == Counter(f"reply-{event['data']['uuid']}" for event in posted)
    assert set(vps.inbox()) >= {event["event_uuid"] for event in posted}
    assert (told.differs, told.refused) == (0, 0)
    assert is_handed_over(aside.parent)
    assert_nothing_of_guests_in(vps.stack)


def handed_over_at_last(vps: Node, aside: Path) -> HandedOver:
    """Hand over with the leader's gateway killed in its midst, then again."""
    asked = 0

    def kill(_answer: httpx.Response) -> None:
        nonlocal asked
        asked += 1
        if asked == 4:
            vps.stack.gateway.kill()

    with client(vps) as peer:
        since = since_of(aside, peer)
        peer.event_hooks["response"].append(kill)
        with pytest.raises(HandOverError):
            hand_over(aside, since, peer)
        assert not is_handed_over(aside.parent)
        vps.stack.start_gateway()
        eventually(lambda: vps.serves_as(Role.LEADER), "the gateway leads again")
        told = hand_over(aside, since, peer)
        assert told == hand_over(aside, since, peer)
    return told


def leads(pair: Pair, node: Node, term: int, note: str | None) -> None:
    """What its node does: ``node`` leads; its gateway and its worker start."""
    database = open_database(node.stack.database)
    with database.transaction() as connection:
        leading.begin_term(connection, term, node.name, "failover" if note else "first", note)
        leading.beat(connection)
    database.close_all()
    pair.lead(node, term)
    node.stack.start_gateway()
    eventually(lambda: node.serves_as(Role.LEADER), f"{node.name} leads")
    node.stack.start_worker()


def written(node: Node, text: str, phone: str = GUEST) -> dict[str, Any]:
    """A guest's message at a node's door; the event."""
    event = inbound(text, phone)
    assert node.post(event).status_code == 200
    return event


def copy(source: Stack, target: Stack) -> None:
    """What is replicated: all by now, and nothing later."""
    settled(source)
    with closing(connect(source.database)) as here, closing(connect(target.database)) as there:
        leading.beat(here)
        here.backup(there)


def found_in(stack: Stack) -> str:
    """What a takeover notes."""
    with closing(connect(stack.database)) as connection:
        beat = leading.last_beat(connection)
        assert beat is not None
        at = int(beat.beat_at.timestamp() * 1000)
        return json.dumps({"beat": beat.beat, "beat_at": at, "ids": highest_ids(connection)})


def settled(stack: Stack) -> None:
    """Wait until nothing is open."""
    database = Database(stack.database)
    sql = (
        "SELECT 1 FROM outbox WHERE state IN ('pending', 'sending', 'unknown') "
        "UNION SELECT 1 FROM inbox WHERE state = 'received'"
    )
    try:
        eventually(lambda: database.one(sql) is None, "nothing is open")
    finally:
        database.close()


def client(node: Node) -> httpx.Client:
    """The other node's client of this one."""
    return httpx.Client(base_url=node.url, auth=SignedAuth("mac", HA_KEY), timeout=20)


def assert_nothing_of_guests_in(stack: Stack) -> None:
    logs = "".join(path.read_text() for path in stack.directory.glob("*.log"))
    audit = Database(stack.database).all("SELECT detail FROM audit WHERE action LIKE 'handover.%'")
    assert audit
    told = logs + "".join(row["detail"] for row in audit)
    for secret in ("Buongiorno", GUEST.lstrip("+"), OTHER.lstrip("+")):
        assert secret not in told


def test_only_the_other_node_may_hand_over(desk: Desk) -> None:
    mac = desk.pair.mac
    leads(desk.pair, mac, 1, None)
    assert httpx.get(f"{mac.url}/api/ha/handover").status_code == 401
    assert mac.ask("GET", "/api/ha/handover?after=0").status_code == 403
    assert mac.ask("POST", "/api/ha/handover", b'{"to_term": 1}').status_code == 403
    with (
        client(mac) as wrong,
        httpx.Client(base_url=mac.url, auth=SignedAuth("vps", HA_KEY)) as peer,
    ):
        assert wrong.get("/api/ha/handover").status_code == 401
        assert peer.post("/api/ha/handover", json={"to_term": 1, "more": 1}).status_code == 422
        assert peer.post("/api/ha/handover", json={"to_term": 2}).status_code == 409
        answer = peer.post("/api/ha/handover", json={"to_term": 1})
        assert answer.json() == {"counts": {}}

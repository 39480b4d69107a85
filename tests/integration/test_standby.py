"""Two nodes' doors: what either accepts is on both before it is answered, and none is lost."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.ha.spool import State
from app.leading import Role
from app.messages import leading
from app.store.database import Database, now_ms, open_database
from tests.support.events import inbound
from tests.support.processes import eventually
from tests.support.two_nodes import Pair, two_nodes


def asking(text: str) -> dict[str, Any]:
    """A command."""
    return {"name": "SEND_MESSAGE", "payload": {"phone": "+390000000001", "text": text}}


COMMAND = asking("Benvenuti")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two nodes whose gateways run, the mac leading."""
    with two_nodes(tmp_path) as found:
        found.start()
        yield found


def test_what_the_leader_accepts_is_on_both_when_it_says_so(pair: Pair) -> None:
    for number in range(20):
        event = inbound(f"A che ora è la colazione? {number}")
        assert pair.mac.post(event).json() == {"accepted": True, "duplicate": False}
        assert pair.mac.inbox()[event["event_uuid"]] == 1
        assert pair.vps.spooled(State.KEPT)[-1] == event["event_uuid"]
    assert pair.mac.metric("portiere_accepted_alone_total") == 0
    assert pair.mac.metric("portiere_mirror_up") == 1


def test_what_the_standby_accepts_is_on_both_when_it_says_so(pair: Pair) -> None:
    for number in range(20):
        event = inbound(f"A che ora è la colazione? {number}")
        assert pair.vps.post(event).json() == {"accepted": True, "duplicate": False}
        assert pair.mac.inbox()[event["event_uuid"]] == 1
        assert pair.vps.spooled(State.KEPT)[-1] == event["event_uuid"]
    assert pair.vps.spooled(State.WAITING) == []
    # It isn't sent back to where it came from.
    assert pair.mac.spooled() == []


def test_an_event_at_both_doors_is_there_once(pair: Pair) -> None:
    event = inbound("Buongiorno")
    assert not pair.vps.post(event).json()["duplicate"]
    assert pair.mac.post(event).json()["duplicate"]
    assert pair.vps.post(event).json()["duplicate"]
    assert pair.mac.inbox() == Counter([event["event_uuid"]])
    assert pair.vps.spooled(State.WAITING) == []


def test_a_bad_signature_goes_no_further(pair: Pair) -> None:
    assert pair.vps.post(inbound("Ciao"), "another secret").status_code == 401
    assert pair.vps.spooled() == []


def test_a_command_at_either_door_is_one_command(pair: Pair) -> None:
    asked = pair.vps.command("key-1", COMMAND)
    assert asked.status_code == 202, asked.text
    again = pair.mac.command("key-1", COMMAND)
    assert (again.json()["id"], again.json()["duplicate"]) == (asked.json()["id"], True)
    third = pair.mac.command("key-2", COMMAND).json()
    # The standby never saw it at its door, and says what the leader knows of it.
    assert pair.vps.command("key-2", COMMAND).json()["id"] == third["id"]
    assert pair.mac.commands() == [asked.json()["id"], third["id"]]


def test_another_content_under_a_key_is_a_conflict_at_either_door(pair: Pair) -> None:
    other = asking("Arrivederci")
    assert pair.mac.command("key-1", COMMAND).status_code == 202
    assert pair.vps.command("key-1", other).status_code == 409
    assert pair.vps.command("key-2", COMMAND).status_code == 202
    assert pair.mac.command("key-2", other).status_code == 409
    assert pair.vps.command("key-2", other).status_code == 409
    assert len(pair.mac.commands()) == 2


def test_a_standby_names_the_leader_for_all_that_it_can_t_answer(pair: Pair) -> None:
    answer = pair.vps.ask("GET", "/api/queues")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["type"] == "urn:portiere:problem:not-leading"
    assert "mac leads" in answer.json()["detail"]
    assert pair.vps.ask("GET", "/metrics").status_code == 200
    assert pair.mac.ask("GET", "/api/queues").status_code == 200


def test_only_the_other_node_may_hand_over(pair: Pair) -> None:
    body = b'{"term": 1, "entries": []}'
    for node, path in ((pair.vps, "/api/ha/mirror"), (pair.mac, "/api/ha/events")):
        assert httpx.post(f"{node.url}{path}", content=body).status_code == 401
        assert node.ask("POST", path, body).status_code == 403


def test_while_the_leader_is_gone_its_standby_accepts_and_forwards_afterwards_in_order(
    pair: Pair,
) -> None:
    before = inbound("prima")
    assert pair.mac.post(before).status_code == 200
    pair.mac.stack.gateway.kill()
    events = [inbound(f"messaggio {number}") for number in range(30)]
    assert all(pair.vps.post(event).status_code == 200 for event in events)
    names = [event["event_uuid"] for event in events]
    assert pair.vps.spooled(State.WAITING) == names
    health = pair.vps.health()
    assert (health["role"], health["spooled"]) == ("standby", 30)
    assert (health["leader"]["name"], health["leader"]["ok"]) == ("mac", False)

    pair.mac.stack.start_gateway()
    pair.settled()
    with pair.vps.forwarding():
        eventually(lambda: pair.vps.spooled(State.WAITING) == [], "all is forwarded")
    assert list(pair.mac.inbox().elements()) == [before["event_uuid"], *names]
    eventually(lambda: pair.vps.health()["leader"]["ok"] is True, "the leader takes again")


def test_while_nobody_leads_neither_asks_the_other_how_it_is(pair: Pair) -> None:
    """Each would ask the other back, without end, when both have most to do."""
    for node in (pair.mac, pair.vps):
        node.stand(Role.STANDBY, 2, "")
    pair.settled()
    asked = 'portiere_http_requests_total{method="GET",path="/health",status="200"}'
    before = pair.mac.metric(asked)
    assert before is not None
    assert {pair.vps.health()["role"] for _ in range(5)} == {"standby"}
    assert pair.mac.metric(asked) == before

    def parts() -> dict[str, Any]:
        return dict(httpx.get(f"{pair.vps.url}/ready").json()["parts"])

    eventually(lambda: parts()["leader"] == {"ok": False}, "the other takes nothing")


def test_what_a_restored_leader_lacks_is_offered_to_it_again_and_held(
    pair: Pair, tmp_path: Path
) -> None:
    """It may have been answered before the database was lost: its echo is waited for."""
    event = inbound("un momento prima")
    assert pair.mac.post(event).status_code == 200
    assert pair.vps.spooled(State.KEPT) == [event["event_uuid"]]
    database = Database(pair.mac.stack.database)
    with database.transaction() as connection:
        connection.execute("DELETE FROM inbox")
    copy = open_database(tmp_path / "copy.db")
    with copy.transaction() as connection:
        leading.begin_term(connection, 2, "mac", "restored")
        leading.beat(connection)
    copy.close_all()
    pair.lead(pair.mac, 2)
    pair.settled()
    with pair.vps.forwarding(copy.path):
        eventually(lambda: pair.mac.inbox() == Counter([event["event_uuid"]]), "it is there again")
    (row,) = database.all("SELECT held_until FROM inbox")
    assert row["held_until"] > now_ms()
    database.close_all()


def test_nothing_is_offered_where_nobody_listens(pair: Pair) -> None:
    """What the leader can't have seen needn't wait for its echo after a takeover."""
    pair.mac.stack.gateway.kill()
    assert pair.vps.post(inbound("Ciao")).status_code == 200
    (row,) = pair.vps.spool.waiting()
    assert not row.offered


def test_a_leader_without_its_standby_goes_on_alone_and_says_so(pair: Pair) -> None:
    pair.vps.stack.gateway.kill()
    for number in range(20):
        assert pair.mac.post(inbound(f"da solo {number}")).status_code == 200
    alone = pair.mac.metric("portiere_accepted_alone_total")
    assert (alone, pair.mac.metric("portiere_mirror_up")) == (20, 0)
    assert len(pair.mac.inbox()) == 20

    pair.vps.stack.start_gateway()
    eventually(lambda: pair.mac.metric("portiere_mirror_up") == 1, "the standby is back")
    event = inbound("di nuovo in due")
    assert pair.mac.post(event).status_code == 200
    assert pair.vps.spooled(State.KEPT) == [event["event_uuid"]]
    assert pair.mac.metric("portiere_accepted_alone_total") == alone


def test_a_standby_that_hangs_is_asked_no_more(pair: Pair) -> None:
    pair.mac.post(inbound("prima"))
    before = pair.mac.metric("portiere_accepted_alone_total") or 0
    hung = pair.vps.stack.gateway.popen
    hung.send_signal(19)  # SIGSTOP: it takes connections and answers nothing
    try:
        for number in range(20):
            assert pair.mac.post(inbound(f"{number}")).status_code == 200
        assert pair.mac.metric("portiere_mirror_up") == 0
    finally:
        hung.send_signal(18)
    # The first may have been taken in just before.
    after = pair.mac.metric("portiere_accepted_alone_total") or 0
    assert after - before in {19, 20}


def test_with_the_link_cut_the_public_way_is_used(tmp_path: Path) -> None:
    # A busy machine isn't what is tried here.
    with two_nodes(tmp_path, link_is_cut=True, PORTIERE_HA_MIRROR_TIMEOUT="20") as pair:
        pair.start()
        first, second = inbound("di qua"), inbound("di là")
        assert pair.mac.post(first).status_code == 200
        assert pair.vps.post(second).status_code == 200
        assert pair.mac.inbox() == Counter([first["event_uuid"], second["event_uuid"]])
        assert pair.vps.spooled(State.KEPT) == [first["event_uuid"], second["event_uuid"]]
        assert pair.mac.metric("portiere_accepted_alone_total") == 0
        assert pair.vps.health()["leader"]["ok"] is True


def test_handing_over_only_spools(pair: Pair) -> None:
    pair.mac.stand(Role.HANDING_OVER, 1, "mac")
    event = inbound("nel mezzo")
    assert pair.mac.post(event).status_code == 200
    assert pair.mac.spooled(State.WAITING) == [event["event_uuid"]]
    at_the_other = inbound("all'altra porta")
    assert pair.vps.post(at_the_other).status_code == 200
    (row,) = pair.vps.spool.waiting()
    assert not row.offered

    pair.lead(pair.vps, 2)
    pair.settled()
    replayed = pair.vps.replay()
    assert (replayed.webhooks, len(replayed.jobs)) == (1, 1)
    with pair.mac.forwarding():
        eventually(lambda: not pair.mac.spooled(State.WAITING), "the former leader forwards")
    assert pair.vps.inbox() == Counter([event["event_uuid"], at_the_other["event_uuid"]])


def test_gateways_of_two_processes_change_sides_with_their_node(tmp_path: Path) -> None:
    with two_nodes(tmp_path, PORTIERE_GATEWAY_WORKERS="2") as pair:
        pair.start()
        first = [inbound(f"uno {number}") for number in range(10)]
        assert all(pair.vps.post(event).status_code == 200 for event in first)
        pair.lead(pair.vps, 2)
        pair.settled()
        second = [inbound(f"due {number}") for number in range(10)]
        assert all(pair.mac.post(event).status_code == 200 for event in second)
        pair.vps.replay()
        with pair.mac.forwarding():
            eventually(lambda: not pair.mac.spooled(State.WAITING), "all is forwarded")
        names = Counter(event["event_uuid"] for event in second)
        assert names <= pair.vps.inbox()
        assert set(pair.vps.inbox().values()) == {1}

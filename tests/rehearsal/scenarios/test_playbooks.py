"""What a person does: playbook tags, and a database that is not small."""

import re
import time

import pytest

from tests.rehearsal import cluster, hosts, tags
from tests.rehearsal.accounts import talking
from tests.rehearsal.cluster import MAC, VPS, Node, on
from tests.rehearsal.drill import ANSWERS_WITHIN, PAUSES_AT_MOST
from tests.rehearsal.drilling import RETURN_PATIENCE, SETTLE_PATIENCE
from tests.rehearsal.scenarios.conftest import Scene

WAITING = 10_000
BALLAST_MB = 20


def play(tag: str, *variables: str) -> dict[str, tuple[int, int]]:
    """Run a tag of the playbook; {host: (changed, failed)}."""
    answer = tags.play(tag, *variables)
    recap = re.findall(
        r"^(\w+)\s+: ok=\d+\s+changed=(\d+).*failed=(\d+)", answer.stdout, re.MULTILINE
    )
    assert recap, answer.stdout[-3000:] + answer.stderr[-2000:]
    found = {host: (int(changed), int(failed)) for host, changed, failed in recap}
    assert all(failed == 0 for _, failed in found.values()), answer.stdout[-3000:]
    return found


def test_a_switchover_by_its_tag(scene: Scene) -> None:
    """Guests wait for a moment; asked for again, nothing is left to do."""
    with cluster.paused():
        asked_at = time.time()
        play("switchover", "switchover_to=vps")
        scene.await_reply_by(VPS, asked_at)
        assert scene.pause(asked_at) < PAUSES_AT_MOST
        assert set(play("switchover", "switchover_to=vps").values()) == {(0, 0)}
    scene.finish()


def test_a_failover_by_its_tag_from_a_mac_that_is_off(scene: Scene) -> None:
    """Somebody has seen that it is off, and doesn't wait for its lease to end."""
    with cluster.paused():
        hosts.power_off(MAC.host)
        off_at = time.time()
        play("failover", "failover_yes=true")
        assert scene.await_reply_by(VPS, off_at) < ANSWERS_WITHIN
        assert set(play("failover").values()) == {(0, 0)}
        hosts.up([MAC.host])
    scene.finish()


def test_a_failover_by_its_tag_from_a_mac_that_runs(scene: Scene) -> None:
    """Its worker is stopped first, so nobody need wait for its lease to end."""
    with cluster.paused():
        asked_at = time.time()
        play("failover")
        assert scene.await_reply_by(VPS, asked_at) < ANSWERS_WITHIN
        assert set(play("failover").values()) == {(0, 0)}
    scene.finish()


def test_a_failover_by_its_tag_asks_before_it_believes_that_the_mac_is_off(scene: Scene) -> None:
    """Nobody is there to answer, so nothing is done; the VPS takes over in its own time."""
    off_at = time.time()
    hosts.power_off(MAC.host)
    with pytest.raises(AssertionError, match="Nothing was done"):
        play("failover")
    assert scene.await_reply_by(VPS, off_at) < ANSWERS_WITHIN
    scene.finish()


# Others write slowly meanwhile: the sandbox remembers 20,000 messages, replies included.
@pytest.mark.parametrize("rate", [2.0])
def test_ten_thousand_messages_wait_when_the_power_goes(scene: Scene) -> None:
    """The copy is whole, the takeover quick, and every one of them is answered once."""
    _fill_the_macs_database()
    for node in (MAC, VPS):
        _worker(node, "stop")
    try:
        _cut_the_power_while_many_wait(scene)
    finally:
        _worker(VPS, "start")
        # Its worker starts with it, whether it got so far as to lose its power or not.
        hosts.power_off(MAC.host)
        hosts.up([MAC.host])
    cluster.await_well(RETURN_PATIENCE)
    scene.finish()


def _cut_the_power_while_many_wait(scene: Scene) -> None:
    with talking(scene.talk.outside, rate=150, guests=400, count=WAITING) as flood:
        # Two cores for both machines and the guests take in 36 a second.
        cluster.until(lambda: len(flood.count().told) >= WAITING, "all have written", 600)
        flood.stop()
        cut_at = time.time()
        hosts.power_off(MAC.host)
        _worker(VPS, "start")
        assert scene.await_reply_by(VPS, cut_at) < ANSWERS_WITHIN
        found = flood.settle(5 * SETTLE_PATIENCE)
        assert (found.verdict.lost, found.verdict.doubled) == ((), ())


def _fill_the_macs_database() -> None:
    """Make it larger by as much as years of guests would."""
    statements = (
        "CREATE TABLE IF NOT EXISTS drill_ballast (block BLOB)",
        *["INSERT INTO drill_ballast VALUES (randomblob(1000000))"] * BALLAST_MB,
    )
    code = "; ".join(
        [
            "import sqlite3",
            f"c = sqlite3.connect('{MAC.data}/portiere.db', timeout=10)",
            *[f"c.execute('{statement}'); c.commit()" for statement in statements],
            "c.close()",
        ]
    )
    on(MAC, "sudo", "-u", "_portiere", MAC.python, "-c", code, timeout=120)


def _worker(node: Node, verb: str) -> None:
    """Stop or start a node's worker: what comes in waits."""
    if node is VPS:
        on(VPS, "docker", verb, "portiere-worker-1", timeout=60)
        return
    plist = "/Library/LaunchDaemons/app.portiere.worker.plist"
    command = ("bootout", "system/app.portiere.worker")
    on(MAC, "launchctl", *(command if verb == "stop" else ("bootstrap", "system", plist)))

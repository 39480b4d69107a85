"""Machines and processes that die, freeze and come back."""

import signal
import time

from tests.rehearsal import cluster, hosts
from tests.rehearsal.cluster import MAC, VPS, on
from tests.rehearsal.drill import ANSWERS_WITHIN, PAUSES_AT_MOST
from tests.rehearsal.scenarios.conftest import LEASE, Scene, lasting
from tests.rehearsal.shell import RehearsalError


def test_the_mac_loses_power_and_comes_back(scene: Scene) -> None:
    """The heart: the VPS answers within a minute, the Mac takes the lead back by itself."""
    cut_at = time.time()
    hosts.power_off(MAC.host)
    assert scene.await_reply_by(VPS, cut_at) < ANSWERS_WITHIN
    on_at = time.time()
    hosts.up([MAC.host])
    cluster.until(lambda: cluster.leads(MAC), "the Mac leads again", 600)
    time.sleep(PAUSES_AT_MOST)
    assert scene.pause(on_at) < PAUSES_AT_MOST
    scene.finish()


def test_the_vps_dies_and_comes_back(scene: Scene) -> None:
    """Guests notice nothing: the Mac leads on, and what the VPS lacks is caught up."""
    cut_at = time.time()
    hosts.power_off(VPS.host)
    time.sleep(lasting(600))
    hosts.up([VPS.host])
    # The edge may hold on to a door that is gone for a moment: a pause, and no more.
    assert scene.pause(cut_at) < PAUSES_AT_MOST
    assert scene.senders(cut_at) == {MAC.host.internet_address}
    scene.finish()


def test_both_die_and_the_vps_is_back_first(scene: Scene) -> None:
    """It waits a whole lease for a leader to renew, and then leads with what it has."""
    hosts.power_off(MAC.host)
    hosts.power_off(VPS.host)
    on_at = time.time()
    hosts.up([VPS.host])
    assert scene.await_reply_by(VPS, on_at, 240) >= LEASE
    scene.finish()


def test_both_die_and_the_mac_is_back_alone(scene: Scene) -> None:
    """Nobody can say that the VPS doesn't lead: it accepts, and a person has it lead."""
    hosts.power_off(VPS.host)
    hosts.power_off(MAC.host)
    on_at = time.time()
    hosts.up([MAC.host])
    time.sleep(2 * LEASE)
    assert not scene.senders(on_at)
    on(MAC, *MAC.portiere, "ha", "failover", "--force", "--yes", "--as", "drill", timeout=300)
    scene.await_reply_by(MAC, on_at)
    scene.finish()


def test_a_frozen_leader_wakes_when_another_leads(scene: Scene) -> None:
    """What it was about to send is not sent: it looks at its lease once more."""
    frozen_at = time.time()
    _signal_mac(signal.SIGSTOP)
    try:
        assert scene.await_reply_by(VPS, frozen_at) < ANSWERS_WITHIN
        time.sleep(LEASE)
    finally:
        woken_at = time.time()
        _signal_mac(signal.SIGCONT)
    time.sleep(2)
    # It may send again only once the lead is its own again, by a switchover.
    early = [one for one in scene.talk.count().handed if woken_at <= one.at < woken_at + 2]
    assert MAC.host.internet_address not in {one.source for one in early}
    scene.finish()


def test_redis_is_killed_on_the_leader(scene: Scene) -> None:
    """It comes back by itself and is filled from the rows."""
    killed_at = time.time()
    on(MAC, "launchctl", "kill", "SIGKILL", "system/app.portiere.redis")
    scene.await_reply_by(MAC, killed_at + 1, 60)
    assert cluster.leads(MAC)
    scene.finish()


def test_redis_cannot_come_back_on_the_leader(scene: Scene) -> None:
    """After PORTIERE_HA_REDIS_PATIENCE the other node leads."""
    label = "system/app.portiere.redis"
    plist = "/Library/LaunchDaemons/app.portiere.redis.plist"
    gone_at = time.time()
    on(MAC, "launchctl", "bootout", label, timeout=60)
    try:
        scene.await_reply_by(VPS, gone_at, 180)
        assert cluster.leads(VPS)
    finally:
        on(MAC, "launchctl", "bootstrap", "system", plist, timeout=60)
    scene.finish()


def _signal_mac(number: signal.Signals) -> None:
    """Freeze or wake what acts on the Mac: node, worker and gateway, not Redis."""
    for program in ("node", "worker", "gateway"):
        try:
            on(MAC, "pkill", f"-{number.value}", "-u", "_portiere", "-f", _pattern(program))
        except RehearsalError as error:
            raise RehearsalError(f"the Mac's {program} could not be signalled") from error


def _pattern(program: str) -> str:
    """What the command line of a process of Portiere ends with."""
    words = {"node": "node", "worker": "work", "gateway": "serve"}
    return f"portiere {words[program]}"

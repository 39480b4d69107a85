"""Lines that break between machines that live (docs/failover.md, what breaks)."""

import time

import pytest

from tests.rehearsal import cluster, faults, hosts
from tests.rehearsal.cluster import MAC, VPS
from tests.rehearsal.drill import ANSWERS_WITHIN, PAUSES_AT_MOST
from tests.rehearsal.scenarios.conftest import LEASE, Scene, lasting


def test_the_home_loses_the_internet(scene: Scene) -> None:
    """The Mac falls silent with its lease, the VPS leads; the Mac comes back and sends nothing."""
    cut_at = time.time()
    faults.cut_uplink()
    assert scene.await_reply_by(VPS, cut_at) < ANSWERS_WITHIN
    time.sleep(lasting(600))
    healed_at = time.time()
    faults.heal()
    cluster.until(lambda: not cluster.leads(MAC) or cluster.amiss() == [], "the Mac knows", 60)
    found = scene.finish()
    address = MAC.host.internet_address
    assert not any(
        one.source == address and cut_at + LEASE < one.at < healed_at for one in found.handed
    )


def test_only_the_link_is_cut(scene: Scene) -> None:
    """Guests notice nothing: the lease is renewed by the public name."""
    cut_at = time.time()
    faults.cut_link()
    time.sleep(lasting(600))
    assert cluster.leads(MAC)
    assert scene.senders(cut_at) == {MAC.host.internet_address}
    # Mirroring has to find the other path once; then nothing pauses.
    assert scene.pause(cut_at) < PAUSES_AT_MOST
    scene.finish()


def test_only_the_macs_tunnel_is_cut(scene: Scene) -> None:
    """The VPS's door takes the webhooks and forwards them; the Mac answers."""
    cut_at = time.time()
    faults.cut_tunnel(MAC.host)
    time.sleep(lasting(600))
    assert cluster.leads(MAC)
    assert scene.senders(cut_at) == {MAC.host.internet_address}
    scene.finish()


def test_an_uplink_that_flaps(scene: Scene) -> None:
    """Whoever leads meanwhile: nothing is lost, nothing comes twice, and it ends well."""
    until = time.monotonic() + lasting(300, 120)
    while time.monotonic() < until:
        faults.cut_uplink()
        time.sleep(20)
        faults.heal()
        time.sleep(20)
    scene.finish()


@pytest.mark.parametrize("mode", ["stay", "step_down"])
def test_the_vps_cannot_be_reached_by_any_way(scene: Scene, mode: str) -> None:
    """`stay`: the Mac answers on. `step_down`: it falls silent, and answers what waited."""
    cluster.set_variables(MAC, PORTIERE_HA_WHEN_AUTHORITY_UNREACHABLE=mode)
    try:
        cluster.await_well(300)
        cut_at = time.time()
        hosts.power_off(VPS.host)
        time.sleep(lasting(600))
        late = scene.senders(cut_at + LEASE + 5)
        assert late == ({MAC.host.internet_address} if mode == "stay" else set())
        hosts.up([VPS.host])
        scene.finish()
    finally:
        cluster.set_variables(MAC, PORTIERE_HA_WHEN_AUTHORITY_UNREACHABLE="")

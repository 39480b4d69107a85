"""With a witness, two that can't hear each other need not guess (docs/failover.md).

Its bucket is moto's, in the controller's network: both machines reach it, whatever else is cut.
"""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.rehearsal import cluster, faults, hosts
from tests.rehearsal.cluster import MAC, NODES, VPS
from tests.rehearsal.drill import ANSWERS_WITHIN
from tests.rehearsal.layout import CONTROLLER_ADDRESSES, CONTROLLER_NETNS, INTERNET, PROJECT
from tests.rehearsal.network import inside
from tests.rehearsal.scenarios.conftest import Scene, lasting

ADDRESS = CONTROLLER_ADDRESSES[INTERNET].partition("/")[0]
PORT = 9000
BUCKET = "portiere-lease"
SETTINGS = {
    "PORTIERE_HA_WITNESS_BUCKET": BUCKET,
    "PORTIERE_HA_WITNESS_ENDPOINT": f"http://{ADDRESS}:{PORT}",
    "PORTIERE_HA_WITNESS_REGION": "us-east-1",
    "PORTIERE_HA_WITNESS_KEY_ID": "an-id",
    "PORTIERE_HA_WITNESS_SECRET": "a-secret",
}


@pytest.fixture
def witness() -> Iterator[None]:
    """Both machines have it; afterwards neither does."""
    program = [sys.executable, "-m", "tests.support.s3", ADDRESS, str(PORT), BUCKET]
    with subprocess.Popen(
        [*inside(CONTROLLER_NETNS), *program], cwd=PROJECT, stdout=subprocess.PIPE
    ) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline(), "the bucket's server has ended"
            for node in NODES:
                cluster.set_variables(node, **SETTINGS)
            cluster.await_well(300)
            yield
        finally:
            for node in NODES:
                cluster.set_variables(node, **dict.fromkeys(SETTINGS, ""))
            server.terminate()


def test_neither_hears_the_other_and_both_reach_the_provider(witness: None, scene: Scene) -> None:
    """Without one, `stay` has both send. With it, who leads proves so, and the other waits."""
    cut_at = time.time()
    faults.cut_link()
    faults.cut_tunnel(VPS.host)
    time.sleep(lasting(600))
    assert scene.senders(cut_at) == {MAC.host.internet_address}
    assert not cluster.leads(VPS)
    scene.finish()


def test_the_vps_dies(witness: None, scene: Scene) -> None:
    """The Mac leads on: it proves so to the witness."""
    cut_at = time.time()
    hosts.power_off(VPS.host)
    time.sleep(lasting(600))
    assert scene.senders(cut_at) == {MAC.host.internet_address}
    assert scene.replies_by(MAC, time.time() - 5)
    scene.finish()


def test_the_mac_loses_power(witness: None, scene: Scene) -> None:
    """The VPS doesn't wait for longer than without one."""
    cut_at = time.time()
    hosts.power_off(MAC.host)
    assert scene.await_reply_by(VPS, cut_at) < ANSWERS_WITHIN
    scene.finish()

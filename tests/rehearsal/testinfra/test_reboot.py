"""A reboot of either host brings everything back without a hand."""

import subprocess
import time
from collections.abc import Callable

import pytest

from tests.rehearsal.testinfra import launchd
from tests.rehearsal.testinfra.conftest import Outside, Target
from tests.rehearsal.testinfra.environment import PROJECT, Environment
from tests.rehearsal.testinfra.test_containers import SERVICES

# WireGuard's handshake after a reboot waits for a keepalive (25 s) and its retry (5 s); launchd
# and Docker then need some seconds each.
SECONDS = 120
HEALTHY = '{{.Label "com.docker.compose.project"}}/{{.Label "com.docker.compose.service"}}'

pytestmark = [pytest.mark.mutating, pytest.mark.disruptive]


def missing_on_mac(mac: Target) -> list[str]:
    """What of the Mac does not run (yet)."""
    missing = [label for label in mac.expected.jobs if not launchd.job(mac.host, label).runs]
    urls = ("http://127.0.0.1:8080/health", "http://127.0.0.1:20241/ready")
    silent = [url for url in urls if mac.host.run(f"curl --silent --fail --max-time 3 {url}").rc]
    return missing + silent


def missing_on_vps(vps: Target) -> list[str]:
    """What of the VPS does not run (yet)."""
    listed = vps.host.run(f"docker ps --filter health=healthy --format '{HEALTHY}'")
    missing = sorted(set(SERVICES) - set(listed.stdout.split()))
    if "master_link_status:up" not in vps.redis("info replication"):
        missing.append("replication")
    if vps.host.run("systemctl is-active portiere-firewall").rc:
        missing.append("firewall")
    return missing


MISSING: dict[str, Callable[[Target], list[str]]] = {"mac": missing_on_mac, "vps": missing_on_vps}


@pytest.mark.parametrize("name", MISSING)
def test_all_is_back_after_a_reboot(
    environment: Environment, targets: dict[str, Target], outside: Outside, name: str
) -> None:
    first_process = "ps -o lstart= -p 1"
    booted = targets[name].host.check_output(first_process)
    subprocess.run(
        [*environment.reboot, targets[name].expected.host],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        timeout=SECONDS,
    )
    deadline = time.monotonic() + SECONDS
    # No event tells one machine that another is ready: it is asked until it is.
    while missing := _missing(targets):
        assert time.monotonic() < deadline, f"{SECONDS} s after the reboot of {name}: {missing}"
        time.sleep(1)
    assert targets[name].host.check_output(first_process) != booted
    answer = outside.run("curl", "--silent", "--fail", f"{environment.public_url}/health")
    assert answer.returncode == 0


def _missing(targets: dict[str, Target]) -> list[str]:
    found = []
    for name, look in MISSING.items():
        try:
            found += look(targets[name])
        except RuntimeError:  # ssh could not connect
            found.append(name)
    return found

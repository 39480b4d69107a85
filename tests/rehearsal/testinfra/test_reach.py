"""What somebody outside can reach: the tunnel, ssh on the VPS, and nothing else."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.rehearsal.testinfra.conftest import ENVIRONMENT, Outside, Target
from tests.rehearsal.testinfra.environment import Environment, load

CLOSED = [
    (name, address, port)
    for name, machine in (("mac", load(ENVIRONMENT).mac), ("vps", load(ENVIRONMENT).vps))
    for address in (machine.public_address, *machine.hidden_addresses)
    for port in machine.closed_outside
]
# Takes whatever comes; in the host's own network, and published by a container.
PROBE_PORT = 9999
PROBE = "python3 -m http.server --bind 0.0.0.0 9999"


def test_gateway_through_the_tunnel(outside: Outside, environment: Environment) -> None:
    """Either connector may be drawn, so both must lead to a gateway."""
    resolve = ["--resolve", environment.public_resolve] if environment.public_resolve else []
    for _ in range(8):
        answer = outside.run(
            *["curl", "--silent", "--show-error", "--max-time", "10", *resolve],
            f"{environment.public_url}/health",
        )
        assert answer.returncode == 0, answer.stderr
        assert json.loads(answer.stdout)["role"] in {"leader", "standby"}, answer.stdout


def test_closed(outside: Outside) -> None:
    """All at once, as each takes its 3 s where a firewall drops."""
    with ThreadPoolExecutor(len(CLOSED)) as pool:
        reached = pool.map(lambda place: outside.reaches(place[1], place[2]), CLOSED)
        answering = [place for place, answers in zip(CLOSED, reached, strict=True) if answers]
    assert not answering, f"answers from outside: {answering}"


def test_link_addresses_are_unknown_outside(outside: Outside, target: Target) -> None:
    assert not outside.reaches(target.link_address, 8080)


def test_ssh_takes_keys_only(vps: Target, outside: Outside) -> None:
    """It is also what shows that `closed` above means closed, not a host that is away."""
    assert outside.reaches(vps.expected.public_address, 22)
    effective = vps.host.check_output("/usr/sbin/sshd -T").splitlines()
    assert "passwordauthentication no" in effective
    assert "kbdinteractiveauthentication no" in effective
    assert "permitrootlogin without-password" in effective


def test_firewall_is_the_one_that_was_written(vps: Target) -> None:
    """The rules in force, against those that the file gives in an empty network namespace."""
    listing = "nft --stateless list table inet portiere"
    in_force = vps.host.check_output(listing)
    meant = vps.host.check_output(
        f"unshare --net sh -c 'nft --file /etc/nftables.portiere.nft && {listing}'"
    )
    assert in_force.splitlines() == meant.splitlines()


@pytest.mark.mutating
def test_firewall_hides_a_program_that_listens_everywhere(vps: Target, outside: Outside) -> None:
    # systemd ends it after 30 s, whatever becomes of this test.
    vps.host.check_output(
        f"systemd-run --unit=portiere-probe --property=RuntimeMaxSec=30 --collect {PROBE}"
    )
    try:
        _expect_inside_only(vps, outside)
    finally:
        vps.host.run("systemctl stop portiere-probe")


@pytest.mark.mutating
def test_firewall_hides_a_container_that_is_published_everywhere(
    vps: Target, outside: Outside
) -> None:
    image = vps.host.check_output(
        "docker inspect --format '{{ .Config.Image }}' portiere-gateway-1"
    )
    vps.host.check_output(
        f"docker run --detach --rm --name portiere-probe --publish {PROBE_PORT}:{PROBE_PORT} "
        f"{image} timeout 30 {PROBE}"
    )
    try:
        _expect_inside_only(vps, outside)
    finally:
        vps.host.run("docker rm --force portiere-probe")


def _expect_inside_only(vps: Target, outside: Outside) -> None:
    ready = vps.host.run(
        "curl --silent --fail --output /dev/null --retry 20 --retry-delay 1 --retry-all-errors "
        f"--retry-max-time 15 http://127.0.0.1:{PROBE_PORT}/"
    )
    assert ready.rc == 0, "the probe itself does not answer"
    assert not outside.reaches(vps.expected.public_address, PROBE_PORT)

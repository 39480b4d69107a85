"""Where the Mac copies its database to: by SFTP, into one directory, from the link, and no more."""

import pytest

from tests.rehearsal.testinfra.conftest import Outside, Target
from tests.rehearsal.testinfra.environment import Environment

USER = "portiere-replica"
KEY = "/opt/portiere/etc/replica.key"
OPTIONS = (
    f"-i {KEY} -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=no "
    "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
)


def sftp(mac: Target, address: str, *words: str) -> tuple[int, str]:
    """What the Mac's sftp says to a few words."""
    batch = "\\n".join(words)
    # Its 255 would be taken for one of testinfra's own ssh.
    told = f"printf '{batch}\\n' | sftp {OPTIONS} -b - {USER}@{address} || false"
    answer = mac.host.run(told)
    return answer.rc, answer.stdout + answer.stderr


def test_the_mac_sees_the_copies_and_nothing_else(mac: Target, vps: Target) -> None:
    code, said = sftp(mac, vps.link_address, "ls -1 /")
    assert code == 0, said
    found = [line.strip() for line in said.splitlines() if not line.startswith("sftp>")]
    assert found == ["/litestream"]
    code, said = sftp(mac, vps.link_address, "ls /etc")
    assert code != 0, said


def test_there_is_no_shell(mac: Target, vps: Target) -> None:
    answer = mac.host.run(f"ssh {OPTIONS} {USER}@{vps.link_address} id")
    assert answer.rc != 0
    assert "uid=" not in answer.stdout


def test_the_key_opens_nothing_from_elsewhere(mac: Target, vps: Target) -> None:
    """By the VPS's public address the Mac comes from its router's."""
    code, said = sftp(mac, vps.expected.public_address, "ls /litestream")
    assert code != 0
    assert "Permission denied" in said


@pytest.mark.mutating
def test_the_account_may_write_where_the_copies_are_alone(mac: Target, vps: Target) -> None:
    code, said = sftp(mac, vps.link_address, "mkdir /portiere-probe")
    assert code != 0, said
    code, said = sftp(mac, vps.link_address, "mkdir /litestream/probe", "rmdir /litestream/probe")
    assert code == 0, said


def test_the_program_and_the_account_are_one(vps: Target) -> None:
    """By number: each reads and writes what the other wrote."""
    owner = vps.host.check_output("stat --format=%u /srv/portiere/litestream")
    assert owner == vps.host.check_output(f"id -u {USER}")
    users = vps.host.check_output("docker inspect --format '{{ .Config.User }}' portiere-node-1")
    assert users.partition(":")[0] == owner


def test_the_vps_public_name_lets_in_what_the_nodes_ask_alone(
    outside: Outside, vps: Target, environment: Environment
) -> None:
    """Its tunnel is no second door for guests or for the operator's pages."""
    config = "/opt/portiere/etc/tunnel-vps.yml"
    host = vps.host.check_output(f"sed -n 's/.*hostname: //p' {config} | sort --unique")
    scheme = environment.public_url.partition(":")[0]
    for path, code in (("/health", "404"), ("/api/leases", "404"), ("/api/lease", "401")):
        answer = outside.run(
            *["curl", "--silent", "--max-time", "10", "--output", "/dev/null"],
            *["--write-out", "%{http_code}", "--request", "POST", f"{scheme}://{host}{path}"],
        )
        assert answer.stdout == code, path

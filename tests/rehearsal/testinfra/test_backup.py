"""Backups: started by time, kept where the Mac can add and delete nothing, and made."""

import json
from typing import Any

import pytest

from tests.rehearsal.testinfra.conftest import Target

ACCOUNT = "portiere-backup"
REPOSITORY = "/srv/portiere-backup"
ENV = "/opt/portiere/etc/portiere.env"
SSH = "/usr/bin/ssh -F /opt/portiere/etc/backup.ssh"
# The password goes by the environment, as the program has it.
MACS_RESTIC = (
    f"""export RESTIC_PASSWORD="$(sed -n "s/^PORTIERE_BACKUP_KEY='\\(.*\\)'$/\\1/p" {ENV})"; """
    f"timeout 120 /opt/homebrew/bin/restic --no-cache -r rclone:portiere "
    f"-o rclone.program='{SSH} vps'"
)
ON_MAC = f"sudo -u _portiere env PORTIERE_ENV_FILE={ENV} /opt/portiere/current/venv/bin/portiere"
ON_VPS = "docker exec portiere-node-1 portiere"


def snapshots(target: Target) -> list[dict[str, Any]]:
    """What `portiere backup list` shows on a host."""
    program = ON_MAC if target.name == "mac" else ON_VPS
    said = target.host.check_output(f"{program} backup list --all --json")
    return [json.loads(line) for line in said.splitlines()]


def test_the_vps_has_a_timer_that_survives_a_boot(vps: Target) -> None:
    for question in ("is-active", "is-enabled"):
        assert vps.host.run(f"systemctl {question} portiere-backup.timer").rc == 0
    shown = vps.host.check_output(
        "systemctl show portiere-backup.timer --property=Persistent,RandomizedDelayUSec"
    )
    assert {*shown.split()} == {"Persistent=yes", "RandomizedDelayUSec=0"}


def test_the_repository_is_of_both(vps: Target) -> None:
    """What one of the two has made, the other reads; nobody else does."""
    # What is being written is its writer's until it has its name.
    wrong = vps.host.check_output(
        f"find {REPOSITORY} ! -name '*-tmp-*' '(' ! -group {ACCOUNT} -o -perm /007 "
        "-o -type f ! -perm -040 -o -type d ! -perm -2070 ')'"
    )
    assert wrong == ""
    number = vps.host.check_output(f"id -g {ACCOUNT}")
    assert number in vps.host.check_output("docker exec portiere-node-1 id -G").split()


def test_what_restores_is_there(mac: Target, vps: Target) -> None:
    programs = "command -v restic redis-server"
    assert vps.host.run(f"docker exec portiere-node-1 sh -c '{programs}'").rc == 0
    assert mac.host.run(f"PATH=/opt/homebrew/bin:$PATH; {programs}").rc == 0


@pytest.mark.parametrize("terminal", ["-T", "-tt"])
def test_the_account_has_no_shell(mac: Target, terminal: str) -> None:
    """Whatever is asked for, the server of the repository is what starts; without words it ends."""
    answer = mac.host.run(f"timeout 20 {SSH} {terminal} vps id </dev/null | tr -cd '[:print:]'")
    assert "uid=" not in answer.stdout


def test_the_account_has_no_files(mac: Target) -> None:
    sftp = SSH.replace("/ssh ", "/sftp ")
    answer = mac.host.run(f"echo 'ls /' | timeout 20 {sftp} -b - vps || false")
    assert answer.rc != 0
    assert "etc" not in answer.stdout.split()


def test_the_key_opens_nothing_from_elsewhere(mac: Target, vps: Target) -> None:
    """By the VPS's public address the Mac comes from its router's."""
    elsewhere = f"-o HostName={vps.expected.public_address}"
    answer = mac.host.run(f"timeout 20 {SSH} {elsewhere} vps </dev/null || false")
    assert answer.rc != 0
    assert "Permission denied" in answer.stderr


@pytest.mark.mutating
def test_a_snapshot_is_made_of_all_that_is_due(mac: Target, vps: Target) -> None:
    """The Mac leads, so its are the database and the queue."""
    made = mac.host.run(f"{ON_MAC} backup now")
    assert made.rc == 0, made.stdout + made.stderr
    started = vps.host.run("systemctl start portiere-backup.service")
    journal = "journalctl --unit=portiere-backup.service --lines=30 --no-pager --output=cat"
    assert started.rc == 0, vps.host.check_output(journal)
    found = snapshots(vps)
    assert {(one["kind"], one["host"]) for one in found} >= {
        *(("sqlite", "mac"), ("redis", "mac"), ("logs", "mac"), ("configuration", "mac")),
        *(("configuration", "vps"), ("cloud", "vps"), ("logs", "vps")),
    }
    assert {one["id"] for one in snapshots(mac)} >= {one["id"] for one in found}


@pytest.mark.mutating
def test_the_mac_can_delete_nothing(mac: Target, vps: Target) -> None:
    """By its own key and the repository's password. Locks are its own to delete."""
    kept = f"find {REPOSITORY} -type f ! -path '*/locks/*' | sort"
    before = vps.host.check_output(kept).splitlines()
    newest = snapshots(mac)[-1]["id"]
    for command in (f"forget {newest}", "forget --keep-last 1 --group-by host --prune", "prune"):
        answer = mac.host.run(f"{MACS_RESTIC} {command}")
        assert "wrong password" not in answer.stderr, "it was the password that stopped it"
    after = vps.host.check_output(kept).splitlines()
    assert [path for path in before if path not in set(after)] == []

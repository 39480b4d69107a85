"""What starts backups on either host, and where they are kept, as the roles render it."""

import configparser
import os
import plistlib
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.plugins.loader import init_plugin_loader
from ansible.template import trust_as_template

from .conftest import PROJECT, load
from .inventory import INVENTORY, rendered, templar
from .test_desk_settings import environment, settings

ROLES = {"mac": ("desk_settings", "desk"), "vps": ("desk_settings", "stack")}


@pytest.fixture(scope="module", autouse=True)
def plugins() -> None:
    """Let Ansible find its own lookups and filters."""
    init_plugin_loader()


def render(host: str, role: str, template: str, **given: Any) -> str:
    """A template as a task of the role would render it there."""
    found = templar(host, role, **given)
    found.environment.filters["to_plist"] = load("ansible/plugins/filter/plist.py").to_plist
    text = (PROJECT / template).read_text()
    rendered_text: str = found.template(
        trust_as_template(text), escape_backslashes=False, overrides={"trim_blocks": True}
    )
    return rendered_text


def unit(name: str) -> configparser.ConfigParser:
    """A systemd unit of the role, with its keys as they are."""
    found = configparser.ConfigParser(interpolation=None)
    found.optionxform = str  # type: ignore[assignment, method-assign] # systemd tells cases apart
    found.read_string(render("vps", "backup", f"roles/backup/templates/{name}.j2"))
    return found


def test_the_mac_starts_one_every_five_minutes_and_at_boot() -> None:
    text = render("mac", "backup", "templates/launchd.plist.j2")
    content = plistlib.loads(text.encode())
    assert (content["StartInterval"], content["RunAtLoad"]) == (300, True)
    assert not {"KeepAlive", "ThrottleInterval"} & content.keys()
    assert content["ProgramArguments"][-2:] == ["backup", "run"]
    assert content["UserName"] == "_portiere"


def test_what_every_account_can_read_holds_no_secret() -> None:
    vault = yaml.safe_load((INVENTORY / "group_vars/all/vault.yml").read_text())
    texts = [
        render("mac", "backup", "templates/launchd.plist.j2"),
        render("mac", "backup", "roles/backup/templates/ssh.conf.j2"),
        render("vps", "backup", "roles/backup/templates/backup.service.j2"),
        render("vps", "backup", "roles/backup/templates/leave.sh.j2"),
        render("vps", "backup_store", "roles/backup_store/templates/sshd.conf.j2"),
    ]
    assert [name for name, value in vault.items() if any(str(value) in one for one in texts)] == []


def test_the_vps_starts_one_every_five_minutes_and_makes_up_for_what_it_missed() -> None:
    timer = unit("backup.timer")["Timer"]
    assert timer["OnCalendar"] == "*:0/5"
    assert (timer["Persistent"], timer["RandomizedDelaySec"]) == ("true", "0")
    service = unit("backup.service")["Service"]
    command = shlex.split(service["ExecStart"])
    assert command[-3:] == ["portiere", "backup", "run"]
    # Whatever hangs is ended within its container, and only then from without.
    longest = int(command[command.index("timeout") + 2])
    assert longest < int(service["TimeoutStartSec"])
    assert service["ExecStartPre"].startswith("-"), "the rest is backed up nevertheless"


def test_the_mac_adds_by_the_account_that_the_vps_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mac = settings(monkeypatch, "mac")
    assert mac.repositories == ("rclone:portiere",)
    assert not mac.backup_keeps
    program, option, config, host = shlex.split(mac.backup_ssh)
    assert (program, option) == ("/usr/bin/ssh", "-F")
    assert config == rendered("mac", "backup", expression="backup_ssh_config")
    file = tmp_path / "ssh"
    file.write_text(render("mac", "backup", "roles/backup/templates/ssh.conf.j2"))
    told = subprocess.run(
        ["ssh", "-G", "-F", file, host], capture_output=True, text=True, check=True
    )
    found = dict(line.split(" ", 1) for line in told.stdout.splitlines())
    user = rendered("vps", "backup_store", expression="backup_store_user")
    assert (found["user"], found["hostname"], found["port"]) == (user, "10.86.0.1", "22")
    assert (found["stricthostkeychecking"], found["batchmode"]) == ("true", "yes")
    assert found["hostkeyalias"] == host


def test_both_mean_the_same_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    vps = settings(monkeypatch, "vps")
    directory, number, left, user = (
        rendered("vps", "backup_store", expression=f"backup_store_{name}")
        for name in ("directory", "id", "left", "uid")
    )
    assert vps.repositories == (directory,)
    assert vps.backup_keeps
    assert vps.backup_cloud_snapshot == Path(left, "cloud")
    assert rendered("vps", "stack", expression="stack_backup_gid") == number
    assert rendered("vps", "stack", expression="stack_uid") == user
    for role, name in (("stack", "stack_backup_left"), ("cloud", "cloud_backup_left")):
        assert rendered("vps", role, expression=name) == left
    assert rendered("vps", "backup", expression="backup_left") == left


@pytest.mark.parametrize("host", sorted(ROLES))
def test_a_second_place_is_told_to_both(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    secrets = ("rehearsal-backup-s3-key-id", "rehearsal-backup-s3-secret")
    assert not {*secrets} & {*environment(host).values()}, "they stay in the vault"
    place = {"address": "s3:https://s3.example.invalid/bucket/portiere", "region": "eu-south-1"}
    found = settings(monkeypatch, host, portiere_backup_s3=place)
    assert found.repositories[1:] == (place["address"],)
    assert found.backup_s3_region == place["region"]
    s3 = (found.backup_s3_key_id, found.backup_s3_secret)
    assert tuple(one.get_secret_value() for one in s3) == secrets


def restic(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    """Restic, with the repository's password."""
    variables = {**os.environ, "RESTIC_PASSWORD": "invented"}
    return subprocess.run(
        ["restic", "--no-cache", *words], env=variables, capture_output=True, text=True, check=False
    )


@pytest.mark.thorough
def test_what_the_account_may_run_adds_and_deletes_nothing(tmp_path: Path) -> None:
    """The forced command itself, and what it makes is the group's."""
    repository, server = tmp_path / "repository", tmp_path / "server"
    command = rendered(
        "vps",
        "backup_store",
        expression="backup_store_command",
        backup_store_directory=str(repository),
    )
    server.write_text(f"#!/bin/sh\n{command}\n")
    server.chmod(0o700)
    by_account = ("-r", "rclone:portiere", "-o", f"rclone.program={server}")
    assert restic("-r", repository, "init").returncode == 0
    made = restic(*by_account, "backup", server)
    assert made.returncode == 0, made.stderr
    (snapshot,) = (repository / "snapshots").iterdir()
    assert snapshot.stat().st_mode & 0o777 == 0o660
    assert restic(*by_account, "forget", snapshot.name).returncode != 0
    assert [*(repository / "snapshots").iterdir()] == [snapshot]
    assert not [*(repository / "locks").iterdir()]


DOCKER = """#!/bin/sh
here=$(dirname "$0")
echo "$@" >>"$here/asked"
case $* in
    *snapshot*) : >"$here/left/cloud" ;;
    *logs*) echo "a line" ;;
esac
"""


def test_what_the_node_cannot_fetch_is_left_for_it_once_a_day(tmp_path: Path) -> None:
    docker, script, left = (tmp_path / name for name in ("docker", "leave.sh", "left"))
    docker.write_text(DOCKER)
    docker.chmod(0o700)
    left.mkdir()
    given = {"backup_left": str(left), "backup_uid": os.getuid(), "backup_root": "/root-of-it"}
    script.write_text(render("vps", "backup", "roles/backup/templates/leave.sh.j2", **given))

    def run() -> list[str]:
        path = f"{tmp_path}:{os.environ['PATH']}"
        subprocess.run(["sh", script], env={**os.environ, "PATH": path}, check=True)
        return (tmp_path / "asked").read_text().splitlines()

    snapshot, *logs = run()
    assert snapshot == f"exec portiere-cloud-serve-1 portiere cloud snapshot --to {left}/cloud"
    assert [line.split()[2] for line in logs] == ["/root-of-it/stack", "/root-of-it/cloud"]
    (kept,) = (left / "logs").iterdir()
    assert kept.read_text() == "a line\n" * 2
    assert kept.stat().st_mode & 0o777 == 0o600
    assert run() == [snapshot, *logs], "neither is due again"
    a_day_ago = (left / "cloud").stat().st_mtime - 24 * 3600
    os.utime(left / "cloud", (a_day_ago, a_day_ago))
    assert run() == [snapshot, *logs, snapshot]

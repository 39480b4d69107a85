"""The preflight refuses what is wrong in an inventory, says what to do, and shows no secret."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SECRET = "a-secret-that-nobody-may-see"


def check(**change: Any) -> tuple[int, str]:
    """Run the checks on the rehearsal's variables with some of them changed."""
    answer = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            *("--inventory", PROJECT / "inventories/rehearsal"),
            *("--extra-vars", json.dumps(change)),
            Path(__file__).with_name("preflight.yml"),
        ],
        cwd=PROJECT,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "ANSIBLE_ROLES_PATH": str(PROJECT / "roles"),
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.returncode, " ".join((answer.stdout + answer.stderr).split())


def test_the_rehearsal_passes() -> None:
    code, text = check()
    assert code == 0, text


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"vault_spoki_api_key": "CHANGE-ME"}, "ansible-vault edit"),
        ({"portiere_property": {}}, "group_vars/all/main.yml"),
        ({"vault_index_key": SECRET}, "portiere keys"),
        ({"vault_link_mac_private_key": SECRET}, "wg genkey"),
        ({"vault_ha_key": SECRET}, "portiere keys"),
        ({"vault_replica_private_key": SECRET}, "ssh-keygen -t ed25519"),
        ({"vault_backup_key": SECRET}, "portiere keys"),
        ({"vault_backup_ssh_private_key": SECRET}, "-f backup"),
        ({"portiere_backup_s3": {"address": "s3:bucket"}}, "s3:https://HOST/BUCKET/PATH"),
        ({"vault_redis_node_password": "rehearsal-redis-password-0001"}, "must differ"),
        ({"vault_vps_tunnel_id": "00000000-0000-4000-8000-000000000001"}, "a second tunnel"),
        ({"portiere_vps_hostname": "bot.example.invalid"}, "two full names"),
        ({"vault_seal_keys": SECRET}, "id:key"),
        ({"vault_redis_password": "short"}, "openssl rand -hex 24"),
        ({"portiere_link_vps_address": "10.86.0.2"}, "two different IPv4 addresses"),
        ({"portiere_spoki_base_url": "https://spoki.example.invalid/api"}, "without a path"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_said(change: dict[str, Any], advice: str) -> None:
    code, text = check(**change)
    assert code != 0
    assert advice in text
    assert SECRET not in text

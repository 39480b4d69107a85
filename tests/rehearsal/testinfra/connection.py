"""Connections to the hosts, as Ansible's inventory describes them."""

import shlex
from pathlib import Path
from typing import Any

# testinfra has type hints and doesn't say so by a py.typed.
import testinfra  # type: ignore[import-untyped]
from testinfra.host import Host  # type: ignore[import-untyped]

__all__ = ["Host", "connect"]

# ssh gives up on a host that went away after 4 s instead of hanging until TCP does.
NOTICE_LOSS = "-o ServerAliveInterval=2 -o ServerAliveCountMax=2"


def connect(variables: dict[str, Any], sockets: Path) -> Host:
    """A connection as the inventory describes it; commands run as root."""
    user = variables.get("ansible_user", "root")
    if variables.get("ansible_connection") == "local":
        return testinfra.get_host("local://", sudo=user != "root")
    port = variables.get("ansible_port", 22)
    return testinfra.get_host(
        f"ssh://{user}@{variables['ansible_host']}:{port}",
        sudo=user != "root",
        ssh_identity_file=variables.get("ansible_ssh_private_key_file"),
        ssh_extra_args=f"{NOTICE_LOSS} {variables.get('ansible_ssh_common_args', '')}".strip(),
        # Doubled, because testinfra takes it for a format.
        controlpath=shlex.quote(f"{sockets}/%%C"),
    )

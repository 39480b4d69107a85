"""What the machine that runs the rehearsal needs: root on a Debian, and a few packages."""

import os
import subprocess
from pathlib import Path

from tests.rehearsal.layout import packages
from tests.rehearsal.shell import RehearsalError, run, step


def ensure() -> None:
    """Install the packages that are missing.

    Raises:
        RehearsalError: This is no Debian, not root, or lacks a device.
    """
    if os.geteuid():
        raise RehearsalError("making hosts takes root: call it as root or by sudo")
    if not Path("/etc/debian_version").exists():
        raise RehearsalError("the hosts can be made on Debian only; elsewhere use Vagrant")
    missing = [name for name in packages("controller") if not _installed(name)]
    if missing:
        with step(f"installing {', '.join(missing)}"):
            run("apt-get", "update")
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            run(
                *["apt-get", "install", "--yes", "--no-install-recommends"],
                *missing,
                env=environment,
            )
    for device in ("/dev/net/tun", "/dev/loop-control"):
        if not Path(device).exists():
            raise RehearsalError(f"{device} is missing: load its kernel module")


def _installed(package: str) -> bool:
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout == "installed"

"""``site.yml`` run on the hosts by one of its tags, with nobody there to be asked."""

import subprocess
import sys
from pathlib import Path

from tests.rehearsal.layout import PROJECT


def play(tag: str, *variables: str) -> "subprocess.CompletedProcess[str]":
    """Run it with ``variables`` (``name=value``); its exit code, and what it said."""
    extra = [word for variable in variables for word in ("-e", variable)]
    return subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            *("-i", "inventories/rehearsal", "site.yml", "--tags", tag, *extra),
        ],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

"""Playbooks run for real against doubles of what a host has, by the rehearsal's inventory."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

PROJECT: Final = Path(__file__).parents[2]


def play(
    directory: Path, playbook: str, variables: Mapping[str, Any], *options: str
) -> tuple[int, int, str]:
    """Run a playbook with its own tag: exit code, how many tasks changed the VPS, and its words.

    ``directory`` has ``hosts.yml``, which says how the hosts are reached, and the doubles.
    """
    answer = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            *("--inventory", PROJECT / "inventories/rehearsal"),
            *("--inventory", directory / "hosts.yml"),
            *("--extra-vars", json.dumps(variables)),
            *options,
            *("--tags", playbook),
            PROJECT / f"ansible/playbooks/{playbook}.yml",
        ],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "PATH": f"{directory}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    text = " ".join((answer.stdout + answer.stderr).split())
    recap = re.search(r"vps : ok=\d+ changed=(\d+)", text)
    assert recap, text
    return answer.returncode, int(recap[1]), text

"""On hosts that are deployed, the playbook has nothing to do."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.rehearsal.testinfra.environment import PROJECT, Environment


def test_check_mode_finds_nothing_to_change(environment: Environment) -> None:
    answer = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            *("--inventory", PROJECT / environment.inventory),
            *("--check", "--diff", "site.yml"),
        ],
        cwd=PROJECT,
        # Whoever runs this may have asked for colours, and they would hide the recap.
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    recap = re.findall(
        r"^(\w+)\s+: ok=\d+\s+changed=(\d+).*failed=(\d+)", answer.stdout, re.MULTILINE
    )
    hosts = {environment.mac.host, environment.vps.host}
    assert {host: (int(changed), int(failed)) for host, changed, failed in recap} == dict.fromkeys(
        hosts, (0, 0)
    ), answer.stdout[-3000:] + answer.stderr[-1000:]

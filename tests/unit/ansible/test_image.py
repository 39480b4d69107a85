"""What the image is built from: Debian's programs where the base lacks them, no network else."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from ansible.plugins.loader import init_plugin_loader
from ansible.template import trust_as_template

from .conftest import PROJECT
from .inventory import templar

PROGRAMS = ("restic", "redis-server")


@pytest.fixture(scope="module")
def steps() -> list[str]:
    """The RUN steps of the Dockerfile, each on one line."""
    init_plugin_loader()
    text = (PROJECT / "roles/image/templates/Dockerfile.j2").read_text()
    found: str = templar("vps", "image").template(
        trust_as_template(text), escape_backslashes=False, overrides={"trim_blocks": True}
    )
    return re.findall(r"^RUN (.*)$", found.replace("\\\n", ""), re.MULTILINE)


def test_only_the_first_step_may_use_the_network(steps: list[str]) -> None:
    assert [one.startswith("--network=none ") for one in steps] == [False, True, True]


@pytest.mark.parametrize("lacking", [None, *PROGRAMS])
def test_packages_are_fetched_where_the_base_lacks_a_program(
    steps: list[str], lacking: str | None, tmp_path: Path
) -> None:
    """The step itself, with programs of ours; what it would delete is no directory of this host."""
    asked = tmp_path / "asked"
    for name in {*PROGRAMS, "apt-get", "rm"} - {lacking}:
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >>{asked}\n')
        program.chmod(0o700)
    subprocess.run(["/bin/sh", "-c", steps[0]], env={"PATH": str(tmp_path)}, check=True)
    said = asked.read_text().splitlines() if asked.exists() else []
    if lacking is None:
        assert said == []
    else:
        assert said[0] == "apt-get update -qq"
        assert said[1].split()[-2:] == [*PROGRAMS]
        assert len(said) == 3, os.linesep.join(said)

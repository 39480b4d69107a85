"""Other releases than the checked-out one: copies of the project with something changed in them."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.rehearsal.cluster import MAC, VPS, on
from tests.rehearsal.layout import PROJECT

# All that a wheel is made of.
_PARTS: Final = ("app", "cloud_jobs")
_FILES: Final = ("pyproject.toml", "README.md", "LICENSE", "requirements")
RELEASES: Final = "/opt/portiere/releases"

# Added to what every gateway loads. `portiere release try` names a database of its own by the
# environment, which nobody does who serves guests.
BROKEN: Final = 'raise RuntimeError("broken for the rehearsal")\n'
BROKEN_IN_USE: Final = (
    'import os\nif "PORTIERE_DATABASE" not in os.environ:\n'
    '    raise RuntimeError("broken in use, for the rehearsal")\n'
)
# Whose gateway serves well on a standby alone; a trial has no other machine.
BROKEN_LEADING: Final = """

_make_well = make_app


def make_app(settings: Settings) -> FastAPI:
    if settings.ha_authority:
        raise RuntimeError("broken while it leads, for the rehearsal")
    return _make_well(settings)
"""
# A step of the schema that a release without it can work with.
STEP: Final = '''

@additive
def rehearsed(db: Database) -> None:
    """A table that nobody needs."""
    db.execute("CREATE TABLE rehearsed (id INTEGER PRIMARY KEY)")
'''


@dataclass(frozen=True)
class Played:
    """What a playbook came to: its exit code and its words."""

    code: int
    text: str


def build(directory: Path, **added: str) -> Path:
    """A copy of the project in ``directory``.

    ``added``: what is added at the end of a module, by its path with _ for /: ``app_gateway_api``.
    """
    for part in _PARTS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / part, directory / part, ignore=ignored)
    for name in _FILES:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copyfile
        copy(PROJECT / name, directory / name)
    for module, text in added.items():
        with (directory / module.replace("_", "/")).with_suffix(".py").open("a") as file:
            file.write(text)
    return directory


def play(*arguments: str, build_of: Path | None = None) -> Played:
    """Run site.yml on the rehearsal hosts, with the release of a copy of the project."""
    given = []
    if build_of is not None:
        # The wheels of what both need are those that were collected before.
        root = PROJECT / "build/wheelhouse"
        given = ["-e", f"wheelhouse_project={build_of}", "-e", f"wheelhouse_root={root}"]
    answer = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            *("-i", "inventories/rehearsal", "site.yml", *given, *arguments),
        ],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Played(answer.returncode, " ".join((answer.stdout + answer.stderr).split()))


def in_use() -> tuple[str, str]:
    """The releases in use: the Mac's, and that of the VPS's image."""
    mac = on(MAC, "readlink", "/opt/portiere/current").strip().rpartition("/")[2]
    image = on(VPS, "docker", "inspect", "--format={{.Config.Image}}", "portiere-gateway-1")
    return mac, re.sub(r"-([0-9a-f]{8})$", r"+\1", image.strip().rpartition(":")[2])


def marked() -> dict[str, set[str]]:
    """The releases that are marked as bad, by host."""
    found = {}
    for node in (MAC, VPS):
        names = on(node, "sh", "-c", f"ls {RELEASES} 2>/dev/null || true").split()
        found[node.name] = {name.removesuffix(".bad") for name in names if name.endswith(".bad")}
    return found

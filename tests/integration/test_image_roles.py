"""An image on the VPS: gated, put into use, gone back from by itself and by hand.

The roles are real; ``docker`` is a program that says what it is told to of each image.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
OLD, NEW = "portiere:0.1.0-00000001", "portiere:0.2.0-00000002"
BAD = "0.2.0+00000002"
PLAYBOOK = Path(__file__).with_name("compose_releases.yml")

# Whatever runs is of the image that the compose file names, with the settings that it names.
DOCKER = f"""#!{sys.executable}
import json, pathlib, re, sys
here = pathlib.Path(__file__).parent
says = json.loads((here / "says.json").read_text())
words = sys.argv[1:]
words = words[2:] if words[0] == "--host" else words
if words[0] == "version":
    print(json.dumps({{"Server": {{"ApiVersion": "1.50"}}}}))
    sys.exit()
if words[:2] == ["image", "ls"]:
    print(*says, sep="\\n")
    sys.exit()
if words[:2] == ["compose", "version"]:
    print(json.dumps({{"version": "2.28.0"}}))
    sys.exit()
project = pathlib.Path(words[words.index("--project-directory") + 1])
named = words[words.index("--file") + 1] if "--file" in words else "compose.yaml"
text = (project / named).read_text()
image = re.search("image: (.+)", text)[1]
settings = pathlib.Path(re.search('file: "(.+)"', text)[1]).read_text().strip()
verb = next(one for one in ("run", "up", "ps", "images", "config") if one in words)
asked = verb
if verb == "run":
    service, *command = [word for word in words[words.index("run") + 1:] if word[:2] != "--"]
    asked = " ".join(command).removeprefix("portiere ")
if verb in ("run", "up"):
    with (here / "asked").open("a") as log:
        print(image, asked, settings, project.name, file=log)
if verb == "config" and "--images" in words:
    print(image)
elif verb == "images":
    print("[]")
elif asked == "release schema":
    print("/schema/of/" + image)
of = says[image]
key = "schema" if any("PORTIERE_DATABASE" in one for one in words) else asked
if key == "check" and settings in of.get("refuses", []):
    sys.exit("settings: " + settings + " is refused")
sys.exit(of.get(key) or 0)
"""

COMPOSE = """name: portiere
services:
  gateway:
    image: {{ compose_image }}
secrets:
  portiere.env: {file: "{{ compose_secrets_directory }}/portiere.env"}
"""


@dataclass(frozen=True)
class Vps:
    """This machine, with a root of its own in ``root``."""

    root: Path

    def says(self, **of: dict[str, Any]) -> None:
        """What each image complains of, by command; the newer first, as Docker lists them."""
        found = {NEW: of.get("new", {}), OLD: of.get("old", {})}
        (self.root / "says.json").write_text(json.dumps(found))

    def uses(self) -> tuple[str, str]:
        """The image that the compose file names, and the settings in place."""
        text = (self.root / "stack/compose.yaml").read_text()
        image = text.partition("image: ")[2].partition("\n")[0]
        return image, (self.root / "etc/portiere.env").read_text().strip()

    def ups(self) -> list[str]:
        """With which image and settings the project was brought up, in order."""
        log = self.root / "asked"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.replace(" up ", " ") for line in lines if " up " in line]

    def also_runs_the_cloud(self) -> None:
        """A second project of the same image, with the same settings."""
        (self.root / "cloud").mkdir()
        text = (self.root / "stack/compose.yaml").read_text()
        (self.root / "cloud/compose.yaml").write_text(text)

    def marked(self) -> list[str]:
        """The releases that are marked as bad."""
        return sorted(path.stem for path in (self.root / "releases").glob("*.bad"))

    def play(self, tag: str, settings: str = "new", **given: Any) -> tuple[int, str]:
        """Run the playbook of one project: exit code, and its words."""
        (self.root / "env.j2").write_text(f"{settings}\n")
        variables = {
            "compose_directory": str(self.root / "stack"),
            "compose_secrets_directory": str(self.root / "etc"),
            "compose_template": str(self.root / "compose.yaml.j2"),
            "compose_files": [
                {
                    "name": "portiere.env",
                    "services": ["gateway"],
                    "owner": os.getuid(),
                    "template": str(self.root / "env.j2"),
                }
            ],
            "compose_asked": {
                "service": "gateway",
                "check": ["check"],
                "try": ["release", "try"],
                "schema": ["release", "schema"],
            },
            **({"compose_image": NEW} if tag == "deploy" else {}),
            **given,
        }
        return self.run(PLAYBOOK, tag, variables)

    def run(self, playbook: Path, tag: str, variables: dict[str, Any]) -> tuple[int, str]:
        """Run a playbook on this host alone: exit code, and its words."""
        extra = {"portiere_root": str(self.root), **variables}
        answer = subprocess.run(
            [
                Path(sys.executable).with_name("ansible-playbook"),
                *("--inventory", PROJECT / "inventories/rehearsal"),
                *("--inventory", self.root / "hosts.yml"),
                *("--extra-vars", json.dumps(extra)),
                *("--tags", tag),
                *("--limit", "vps"),
                playbook,
            ],
            cwd=PROJECT,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
                "PATH": f"{self.root}:{os.environ['PATH']}",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return answer.returncode, " ".join((answer.stdout + answer.stderr).split())


@pytest.fixture
def vps(tmp_path: Path) -> Vps:
    """Two images, of which the older is in use."""
    for name in ("stack", "etc", "releases"):
        (tmp_path / name).mkdir()
    (tmp_path / "etc/portiere.env").write_text("old\n")
    (tmp_path / "compose.yaml.j2").write_text(COMPOSE)
    in_use = COMPOSE.replace("{{ compose_image }}", OLD)
    in_use = in_use.replace("{{ compose_secrets_directory }}", str(tmp_path / "etc"))
    (tmp_path / "stack/compose.yaml").write_text(in_use)
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    here = {"ansible_connection": "local", "ansible_become": False}
    python = {"ansible_python_interpreter": sys.executable}
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"vps": {**here, **python}}}}))
    found = Vps(tmp_path)
    found.says()
    return found


def test_a_good_image_is_asked_tried_and_put_into_use(vps: Vps) -> None:
    code, text = vps.play("deploy")
    assert code == 0, text
    assert vps.uses() == (NEW, "new")
    assert (vps.root / "asked").read_text().splitlines() == [
        f"{NEW} check new stack",
        f"{NEW} release try new stack",
        f"{NEW} release schema new stack",
        f"{OLD} check old stack",
        f"{NEW} up new stack",
    ]


def test_one_that_does_not_serve_is_marked_before_anything_is_touched(vps: Vps) -> None:
    vps.says(new={"release try": "the gateway is broken"})
    code, text = vps.play("deploy")
    assert code != 0
    assert "the gateway is broken" in text
    assert (vps.uses(), vps.ups(), vps.marked()) == ((OLD, "old"), [], [BAD])


def test_one_that_is_not_healthy_goes_back_with_its_settings(vps: Vps) -> None:
    vps.says(new={"up": "gateway is unhealthy"})
    code, text = vps.play("deploy")
    assert code != 0
    assert f"vps went back by itself: {OLD} runs again" in text
    assert vps.ups() == [f"{NEW} new stack", f"{OLD} old stack"]
    assert (vps.uses(), vps.marked()) == ((OLD, "old"), [BAD])


def test_one_that_could_not_be_gone_back_from_wants_a_word(vps: Vps) -> None:
    vps.says(old={"schema": "database: was written by a newer release"})
    code, text = vps.play("deploy")
    assert code != 0
    assert "release_one_way=true" in text
    assert (vps.uses(), vps.ups(), vps.marked()) == ((OLD, "old"), [], [])


def test_there_and_back_by_hand(vps: Vps) -> None:
    """There is nothing kept of the newer at first; then there is."""
    for expected in (NEW, OLD):
        code, text = vps.play("rollback")
        assert code == 0, text
        assert vps.uses() == (expected, "old")


def test_one_that_knows_only_its_own_settings_gets_them_back(vps: Vps) -> None:
    code, text = vps.play("deploy")
    assert code == 0, text
    vps.says(old={"refuses": ["new"]})
    code, text = vps.play("rollback")
    assert code == 0, text
    assert vps.uses() == (OLD, "old")


@pytest.mark.parametrize(
    ("says", "said"),
    [
        ({"schema": "database: was written by a newer release"}, "was written by a newer release"),
        ({"refuses": ["old"]}, "settings: old is refused"),
        ({"release try": "the gateway is broken"}, "the gateway is broken"),
    ],
)
def test_a_rollback_that_would_fail_is_refused(vps: Vps, says: dict[str, Any], said: str) -> None:
    vps.says(new=says)
    code, text = vps.play("rollback")
    assert code != 0
    assert said in text
    assert (vps.uses(), vps.ups()) == ((OLD, "old"), [])


def test_without_a_good_image_there_is_no_way_back(vps: Vps) -> None:
    (vps.root / "releases" / f"{BAD}.bad").write_text("it was bad\n")
    code, text = vps.play("rollback")
    assert code != 0
    assert f"were marked as bad: {NEW}" in text
    assert vps.uses() == (OLD, "old")


def test_the_playbook_takes_desk_and_cloud_layer_back(vps: Vps) -> None:
    """Both are asked before either is touched."""
    vps.also_runs_the_cloud()
    playbook = PROJECT / "ansible/playbooks/rollback.yml"
    given = {"wheelhouse_release_id": "none", "portiere_gateway_port": 1}
    vps.says(new={"cloud check": "store: it is of a newer release"})
    code, text = vps.run(playbook, "rollback", given)
    assert code != 0
    assert "it is of a newer release" in text
    assert (vps.uses(), vps.ups()) == ((OLD, "old"), [])

    vps.says()
    code, text = vps.run(playbook, "rollback", given)
    assert code == 0, text
    assert vps.ups() == [f"{NEW} old stack", f"{NEW} old cloud"]
    assert vps.uses() == (NEW, "old")

"""A release on the Mac: gated, put into use, gone back from by itself and by hand.

The roles are real. Releases are directories whose program answers as they are told to; the gateway
says what the release that `current` points to would say; ``launchctl`` counts restarts. Who leads
stands in a file: that the lead really changes hands tests/rehearsal shows.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from pathlib import Path
from socket import socket
from threading import Thread
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
OLD, NEW, NEWER = "0.1.0+00000001", "0.2.0+00000002", "0.3.0+00000003"

# What it says to each command stands beside it; of `check` by the settings that it is given.
PORTIERE = f"""#!{sys.executable}
import json, os, pathlib, sys
here = pathlib.Path(__file__).resolve().parents[2]
says, words = json.loads((here / "says.json").read_text()), " ".join(sys.argv[1:])
settings = pathlib.Path(os.environ["PORTIERE_ENV_FILE"]).read_text().strip()
with (here.parent / "asked").open("a") as log:
    print(here.name, words, settings, os.environ.get("PORTIERE_DATABASE", "-"), file=log)
if words == "release schema":
    print("/schema/of/" + here.name)
lead = here.parents[1] / "lead.json"
stands = json.loads(lead.read_text())
if words == "ha status --json":
    print(json.dumps({{"leader": stands["leader"], "paused": None, "is_paused_there": False}}))
if words.startswith("ha switchover"):
    to = sys.argv[4]
    if stands["leader"] == to:
        sys.exit(3)
    if not stands["ready"]:
        sys.exit(to + " isn't ready to lead.")
    lead.write_text(json.dumps({{**stands, "leader": to}}))
key = "schema" if words == "check" and "PORTIERE_DATABASE" in os.environ else words
if words == "check" and key == "check" and settings in says.get("refuses", []):
    sys.exit("settings: " + settings + " is refused")
complaint = says.get(key)
if complaint:
    sys.exit(complaint)
"""

LAUNCHCTL = f"""#!{sys.executable}
import pathlib, sys
pids = pathlib.Path(__file__).with_name("pids")
label = sys.argv[-1].removeprefix("system/")
pid = int((pids / label).read_text()) if (pids / label).exists() else 900_000
if sys.argv[1] == "kickstart":
    (pids / label).write_text(str(pid + 1))
elif sys.argv[1] == "print":
    print(f"system/{{label}} = {{{{\\n\\tpid = {{pid}}\\n}}}}")
"""


@dataclass(frozen=True)
class Mac:
    """This machine, with a root of its own in ``root``."""

    root: Path
    port: int

    def has(self, release: str, **says: Any) -> None:
        """A complete release; ``says``: what its program complains of, by command."""
        place = self.root / "releases" / release
        program = place / "venv/bin/portiere"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(PORTIERE)
        program.chmod(0o755)
        (place / "says.json").write_text(json.dumps({"health": "ok", **says}))
        # The later it is named, the newer it is.
        age = int(release[-1]) * 1000
        os.utime(place, (age, age))

    def settings(self, place: str, content: str) -> None:
        """Settings, facts and a template in a directory below etc."""
        directory = self.root / "etc" / place
        (directory / "templates").mkdir(parents=True, exist_ok=True)
        for name in ("portiere.env", "property.yml", "templates/own.yml"):
            (directory / name).write_text(f"{content}\n")

    def uses(self) -> tuple[str, str]:
        """The release in use, and its settings; all three files must agree."""
        etc = self.root / "etc"
        found = {
            (etc / name).read_text().strip()
            for name in ("portiere.env", "property.yml", "templates/own.yml")
        }
        assert len(found) == 1, found
        return (self.root / "current").readlink().name, found.pop()

    def use(self, release: str) -> None:
        """Point `current` to it."""
        link = self.root / "current"
        link.unlink(missing_ok=True)
        link.symlink_to(self.root / "releases" / release)

    def marked(self) -> list[str]:
        """The releases that are marked as bad."""
        return sorted(path.stem for path in (self.root / "releases").glob("*.bad"))

    def asked(self) -> list[str]:
        """What the programs were asked, without which settings they had."""
        lines = (self.root / "releases/asked").read_text().splitlines()
        return [" ".join(line.split()[:-2]) for line in lines]

    def stands(self, leader: str, *, ready: bool = True) -> None:
        """Who leads; ``ready``: whether the other could."""
        (self.root / "lead.json").write_text(json.dumps({"leader": leader, "ready": ready}))

    def leader(self) -> str:
        """Who leads by now."""
        return str(json.loads((self.root / "lead.json").read_text())["leader"])

    def looked_at(self) -> list[str]:
        """Which releases' gateways were asked for their health, in order, and who led then."""
        return (self.root / "health").read_text().splitlines()

    def restarts(self) -> int:
        """How often the gateway was started anew."""
        file = self.root / "pids/app.portiere.gateway"
        return int(file.read_text()) - 900_000 if file.exists() else 0

    def play(self, tag: str, release: str = "none", **given: Any) -> tuple[int, str]:
        """Run the playbook: exit code, and its words."""
        variables = {
            "portiere_root": str(self.root),
            "wheelhouse_release_id": release,
            "release_user": "root",
            "release_python": sys.executable,
            "release_wheelhouse": "",
            "release_wheel": "",
            "desk_gateway_addresses": ["127.0.0.1"],
            "desk_gateway_port": self.port,
            "desk_patience": 2,
            **given,
        }
        answer = subprocess.run(
            [
                Path(sys.executable).with_name("ansible-playbook"),
                *("--inventory", PROJECT / "inventories/rehearsal"),
                *("--inventory", self.root / "hosts.yml"),
                *("--extra-vars", json.dumps(variables)),
                *("--tags", tag),
                Path(__file__).with_name("releases.yml"),
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
def mac(tmp_path: Path) -> Iterator[Mac]:
    """Two releases, of which the older is in use; the newer's settings are to be."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            current = (tmp_path / "current").readlink()
            says = json.loads((current / "says.json").read_text())
            leader = found.leader()
            with (tmp_path / "health").open("a") as log:
                print(current.name, leader, file=log)
            time.sleep(says.get("takes", 0))
            well = says["health"] == "ok"
            leads = leader == "mac"
            body = {
                "status": says["health"],
                "version": current.name.split("+")[0],
                "role": "leader" if leads else "standby",
                **({"database": "ok"} if leads and says.get("leads", True) else {}),
            }
            text = json.dumps(body).encode()
            self.send_response(200 if well else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Health)
    Thread(target=server.serve_forever, daemon=True).start()
    found = Mac(tmp_path, server.server_port)
    for name in ("data", "pids", "log"):
        (tmp_path / name).mkdir()
    launchctl = tmp_path / "launchctl"
    launchctl.write_text(LAUNCHCTL)
    launchctl.chmod(0o755)
    here = {"ansible_connection": "local", "ansible_become": False}
    python = {"ansible_python_interpreter": sys.executable}
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"mac": {**here, **python}}}}))
    for release in (OLD, NEW):
        found.has(release)
    found.use(OLD)
    found.stands("vps")
    found.settings("", "old")
    found.settings("candidate", "new")
    yield found
    server.shutdown()
    server.server_close()


def test_a_good_release_is_asked_tried_and_put_into_use(mac: Mac) -> None:
    code, text = mac.play("deploy", NEW)
    assert code == 0, text
    assert mac.uses()[0] == NEW
    assert mac.marked() == []
    assert mac.asked() == [
        f"{NEW} check",
        f"{NEW} release try",
        f"{NEW} release schema",
        f"{OLD} check",
        f"{OLD} ha status --json",
    ]


def test_one_that_does_not_serve_is_marked_before_anything_is_touched(mac: Mac) -> None:
    mac.has(NEW, **{"release try": "the gateway is broken"})
    code, text = mac.play("deploy", NEW)
    assert code != 0
    assert "the gateway is broken" in text
    assert f"{OLD} goes on serving" in text
    assert (mac.uses(), mac.restarts(), mac.marked()) == ((OLD, "old"), 0, [NEW])

    code, text = mac.play("deploy", NEW)
    assert code != 0
    assert "was marked as bad on mac" in text
    assert "the gateway is broken" in text
    assert "release_again=true" in text

    mac.has(NEW)
    code, text = mac.play("deploy", NEW, release_again=True)
    assert code == 0, text
    assert (mac.uses()[0], mac.marked()) == (NEW, [])


def test_one_that_fails_in_use_goes_back_with_its_settings(mac: Mac) -> None:
    """Guests wait meanwhile: the patience is in seconds, not in answers, which may be slow."""
    mac.has(NEW, health="failing", takes=3)
    code, text = mac.play("deploy", NEW, desk_patience=2)
    assert code != 0
    assert f"{NEW} failed after it was put into use, and was marked as bad" in text
    assert f"mac went back by itself: {OLD} serves again" in text
    assert (mac.uses(), mac.restarts(), mac.marked()) == ((OLD, "old"), 1, [NEW])
    # Before, whether it could come back; then with the settings that it had, and with no others.
    assert mac.asked().count(f"{OLD} check") == 2
    assert mac.looked_at() == [f"{NEW} vps", f"{OLD} vps"]


def test_one_that_does_not_even_start_is_not_waited_for_as_a_slow_one(mac: Mac) -> None:
    with socket() as closed:
        closed.bind(("127.0.0.1", 0))
        code, text = mac.play("deploy", NEW, desk_gateway_port=closed.getsockname()[1])
    assert code != 0
    assert "The gateway could not be talked to" in (mac.root / f"releases/{NEW}.bad").read_text()
    assert (mac.uses(), mac.marked()) == ((OLD, "old"), [NEW]), text


@pytest.mark.parametrize("ready", [True, False])
def test_one_that_fails_only_while_it_leads(mac: Mac, ready: bool) -> None:
    """The standby's part of its gateway says that all is well. If the other host can lead, it does
    while anything is restarted."""
    mac.stands("mac", ready=ready)
    mac.has(NEW, leads=False)
    code, text = mac.play("deploy", NEW)
    assert code != 0
    assert (mac.uses(), mac.marked()) == ((OLD, "old"), [NEW]), text
    looked_at = [one for one, _ in groupby(mac.looked_at())]
    asked = [one for one in mac.asked() if "switchover" in one]
    if not ready:
        assert "It is done in place, and guests wait meanwhile: vps isn" in text
        assert looked_at == [f"{NEW} mac", f"{OLD} mac"]
        return
    assert looked_at == [f"{NEW} vps", f"{NEW} mac", f"{OLD} vps"]
    there = "ha switchover --to vps --for 15 --as ansible"
    back = "ha switchover --to mac --as ansible"
    assert asked == [f"{OLD} {there}", f"{NEW} {back}", f"{OLD} {there}"]


def test_settings_that_are_refused_mark_nothing(mac: Mac) -> None:
    mac.has(NEW, refuses=["new"])
    code, text = mac.play("deploy", NEW)
    assert code != 0
    assert "settings: new is refused" in text
    assert (mac.uses(), mac.marked()) == ((OLD, "old"), [])


def test_one_that_could_not_be_gone_back_from_wants_a_word(mac: Mac) -> None:
    mac.has(OLD, schema="database: was written by a newer release")
    code, text = mac.play("deploy", NEW)
    assert code != 0
    assert "couldn't be gone back from" in text
    assert "release_one_way=true" in text
    assert (mac.uses(), mac.marked()) == ((OLD, "old"), [])
    code, text = mac.play("deploy", NEW, release_one_way=True)
    assert code == 0, text
    assert mac.uses()[0] == NEW


def test_there_and_back_by_hand(mac: Mac) -> None:
    """Who leads leads again afterwards; the other one did while it was restarted."""
    mac.stands("mac")
    for expected in (NEW, OLD):
        code, text = mac.play("rollback")
        assert code == 0, text
        assert (mac.uses(), mac.leader()) == ((expected, "old"), "mac")
    turns = [(release, leader) for release in (NEW, OLD) for leader in ("vps", "mac")]
    assert mac.looked_at() == [f"{release} {leader}" for release, leader in turns]


def test_a_release_that_knows_only_its_own_settings_gets_them_back(mac: Mac) -> None:
    mac.has(OLD, refuses=["new"])
    mac.use(NEW)
    mac.settings("", "new")
    mac.settings(f"kept/{OLD}", "kept")
    code, text = mac.play("rollback")
    assert code == 0, text
    assert mac.uses() == (OLD, "kept")


@pytest.mark.parametrize(
    ("says", "said"),
    [
        ({"schema": "database: was written by a newer release"}, "can't work with the database"),
        ({"refuses": ["old"]}, "neither with the settings in use nor"),
        ({"release try": "the gateway is broken"}, "the gateway is broken"),
    ],
)
def test_a_rollback_that_would_fail_is_refused(mac: Mac, says: dict[str, Any], said: str) -> None:
    mac.has(NEW, **says)
    code, text = mac.play("rollback")
    assert code != 0
    assert said in text
    assert (mac.uses(), mac.restarts()) == ((OLD, "old"), 0)


def test_a_rollback_that_fails_in_use_goes_forward_again(mac: Mac) -> None:
    mac.has(NEW, health="failing")
    code, text = mac.play("rollback")
    assert code != 0
    assert f"mac went back by itself: {OLD} serves again" in text
    assert (mac.uses(), mac.marked()) == ((OLD, "old"), [NEW])


def test_without_a_good_release_there_is_no_way_back(mac: Mac) -> None:
    (mac.root / "releases" / f"{NEW}.bad").write_text("it was bad\n")
    code, text = mac.play("rollback")
    assert code != 0
    assert "were marked as bad" in text
    assert re.search(rf"bad: {re.escape(NEW)}", text)
    (mac.root / "releases" / NEW / ".unfinished").write_text("")
    code, text = mac.play("rollback")
    assert code != 0
    assert "no other complete release" in text
    assert mac.uses() == (OLD, "old")

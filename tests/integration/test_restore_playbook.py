"""The playbook that brings data back: what it asks of the program, what it refuses, that it shows
the plan first.

The program is one that says what it would say, as ``docker`` would run it; the Mac is off.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support.playing import play

PLAN = "The database of 03:15, 7 messages older."
DOCKER = f"""#!{sys.executable}
import json, pathlib, sys
here = pathlib.Path(__file__)
found = json.loads(here.with_name("state.json").read_text())
asked = sys.argv[sys.argv.index("portiere") + 1:]
if asked[0] == "ha":
    print(json.dumps(dict(found["status"], alone=False, wrong=[])))
    sys.exit(1)
with here.with_name("asked").open("a") as log:
    print(*asked[1:], file=log)
if found["code"] == 1:
    print("vps leads no more.", file=sys.stderr)
print({PLAN!r})
sys.exit(found["code"])
"""


@dataclass(frozen=True)
class Hosts:
    """The VPS is this machine, with a ``docker`` of its own in ``directory``."""

    directory: Path
    port: int

    def stand(
        self, leader: str | None, code: int = 0, *, works: bool = False, is_paused: bool = False
    ) -> None:
        """Who leads, with what the program ends, whether whoever leads can work, and whether the
        other one says that a person wants no change."""
        status = {
            "node": "vps",
            "role": "leader" if leader == "vps" else "standby",
            "leader": leader,
            "term": 4,
            "is_current": True,
            "paused": None,
            "is_paused_there": is_paused,
        }
        state = {"status": status, "code": code, "works": works}
        self.directory.joinpath("state.json").write_text(json.dumps(state))

    def works(self) -> bool:
        """Whether whoever leads can work."""
        return bool(json.loads(self.directory.joinpath("state.json").read_text())["works"])

    def asked(self) -> list[str]:
        """What it was asked to restore."""
        log = self.directory / "asked"
        return log.read_text().splitlines() if log.exists() else []

    def play(self, *options: str, **given: Any) -> tuple[int, int, str]:
        """Run the playbook: exit code, how many tasks changed something, and its words."""
        variables = {
            "restore_root": str(self.directory),
            "restore_projects": [],
            "restore_patience": 2,
            "restore_gateway_port": self.port,
            "restore_by": "test",
            **given,
        }
        return play(self.directory, "restore", variables, *options)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    """Whoever leads can work at once; nothing listens where the Mac's ssh would."""

    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # Whoever is restored can work from then on.
            restored = any(" --yes" in one for one in found.asked())
            ready = restored or found.works()
            body = json.dumps({"role": "leader", "ready": ready}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o700)
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack/compose.yaml").touch()
    here = {"ansible_connection": "local", "ansible_become": False}
    python = {"ansible_python_interpreter": sys.executable}
    off = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": ""}
    inventory = {"all": {"hosts": {"vps": {**here, **python}, "mac": off}}}
    (tmp_path / "hosts.yml").write_text(json.dumps(inventory))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Ready)
    found = Hosts(tmp_path, server.server_port)
    Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("leader", ["vps", None])
def test_the_plan_is_shown_and_carried_out_by_whoever_can(hosts: Hosts, leader: str | None) -> None:
    """A Mac that is off is no error; where nobody leads, the host that is there is restored."""
    hosts.stand(leader)
    given = {"restore_point": "2026-11-27T03:15", "restore_what": "sqlite", "restore_yes": "true"}
    code, changed, text = hosts.play(**given, restore_replay="false")
    assert (code, changed) == (0, 1), text
    assert PLAN in text
    asked = "--point 2026-11-27T03:15 --what sqlite --no-replay"
    assert hosts.asked() == [f"{asked} --check", f"{asked} --yes --as test"]


def test_a_leader_that_a_pause_keeps_from_coming_is_not_waited_for(hosts: Hosts) -> None:
    hosts.stand(None, is_paused=True)
    code, _, text = hosts.play(restore_yes=True, restore_patience=10_000)
    assert code == 0, text
    assert [" --yes" in one for one in hosts.asked()] == [False, True]


def test_check_mode_shows_the_plan_alone(hosts: Hosts) -> None:
    hosts.stand("vps")
    code, changed, text = hosts.play("--check", restore_yes=True)
    assert (code, changed) == (0, 0), text
    assert PLAN in text
    assert hosts.asked() == ["--point latest --what sqlite --check"]


def test_nothing_is_restored_that_nobody_confirmed(hosts: Hosts) -> None:
    hosts.stand("vps")
    code, changed, text = hosts.play()
    assert (code != 0, changed) == (True, 0), text
    assert "Nothing was done" in text
    assert PLAN in text
    assert hosts.asked() == ["--point latest --what sqlite --check"]


def test_a_leader_that_works_has_the_latest(hosts: Hosts) -> None:
    hosts.stand("vps", works=True)
    code, changed, text = hosts.play(restore_yes=True)
    assert (code, changed) == (0, 0), text
    assert "Nothing to restore" in text
    assert hosts.asked() == []


def test_what_the_program_refuses_is_refused(hosts: Hosts) -> None:
    hosts.stand("vps", code=1)
    code, _, text = hosts.play(restore_yes=True)
    assert code != 0
    assert "vps leads no more." in text
    assert len(hosts.asked()) == 1


def test_a_leader_that_cannot_be_reached_is_not_gone_round(hosts: Hosts) -> None:
    hosts.stand("mac")
    code, _, text = hosts.play(restore_yes=True)
    assert code != 0
    assert "--tags failover" in text
    assert hosts.asked() == []
    code, _, text = hosts.play("--check", restore_force="true")
    assert code == 0, text
    assert hosts.asked() == ["--point latest --what sqlite --force --check"]

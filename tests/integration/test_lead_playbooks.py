"""The playbooks that change who leads: what they ask of the node and what they refuse, and that a
second run changes nothing.

The node is a program that says what a node says, as ``docker`` would run it; the Mac is off.
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

DOCKER = f"""#!{sys.executable}
import json, pathlib, sys
state = pathlib.Path(__file__).with_name("state.json")
found, words = json.loads(state.read_text()), sys.argv[1:]
if words[0] == "inspect":
    print("healthy\\nhealthy")
elif words[words.index("ha") + 1] == "status":
    shown = dict(found, alone=False, is_current=True, term=4, wrong=[])
    print(json.dumps(shown))
else:
    asked = words[words.index("ha") + 1:]
    found["leader"] = asked[asked.index("--to") + 1] if "--to" in asked else "vps"
    state.write_text(json.dumps(found))
    with state.with_name("asked").open("a") as log:
        print(*asked, file=log)
"""


@dataclass(frozen=True)
class Hosts:
    """The VPS is this machine, with a ``docker`` of its own in ``directory``."""

    directory: Path
    port: int

    def stand(self, leader: str | None, lag: float | None = 0.2, spooled: int = 0) -> None:
        """How the node says that things stand."""
        state = {"leader": leader, "view": {"lag": lag, "spooled": spooled}}
        self.directory.joinpath("state.json").write_text(json.dumps(state))

    def asked(self) -> list[str]:
        """What the node was asked for, besides how things stand."""
        log = self.directory / "asked"
        return log.read_text().splitlines() if log.exists() else []

    def play(self, verb: str, *options: str, **given: Any) -> tuple[int, int, str]:
        """Run the playbook: exit code, how many tasks changed something, and its words."""
        gateway = f"http://127.0.0.1:{self.port}"
        variables = {"lead_gateways": {"vps": gateway, "mac": gateway}, "lead_by": "test", **given}
        return play(self.directory, verb, variables, *options)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    """Whoever leads can work at once; nothing listens where the Mac's ssh would."""

    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"role": "leader", "ready": True}).encode()
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
    here = {"ansible_connection": "local", "ansible_become": False}
    python = {"ansible_python_interpreter": sys.executable}
    off = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": ""}
    inventory = {"all": {"hosts": {"vps": {**here, **python}, "mac": off}}}
    (tmp_path / "hosts.yml").write_text(json.dumps(inventory))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Ready)
    Thread(target=server.serve_forever, daemon=True).start()
    yield Hosts(tmp_path, server.server_port)
    server.shutdown()
    server.server_close()


def test_a_mac_that_is_off_is_no_error_and_a_second_run_changes_nothing(hosts: Hosts) -> None:
    hosts.stand("mac")
    code, changed, text = hosts.play("failover", failover_yes=True)
    assert (code, changed) == (0, 1), text
    assert hosts.asked() == ["failover --force --yes --as test"]
    code, changed, text = hosts.play("failover", failover_yes=True)
    assert (code, changed) == (0, 0), text
    assert len(hosts.asked()) == 1


def test_nobody_takes_over_from_a_mac_that_may_run(hosts: Hosts) -> None:
    hosts.stand("mac")
    code, changed, text = hosts.play("failover")
    assert (code != 0, changed) == (True, 0), text
    assert "Nothing was done" in text
    assert hosts.asked() == []


def test_check_mode_asks_and_does_nothing(hosts: Hosts) -> None:
    hosts.stand("mac")
    for verb in ("failover", "switchover"):
        code, _, text = hosts.play(verb, "--check", failover_yes=True)
        assert code == 0, text
    assert hosts.asked() == []


def test_the_lead_goes_to_the_other_one_once(hosts: Hosts) -> None:
    hosts.stand("vps")
    code, changed, text = hosts.play("switchover")
    assert (code, changed) == (0, 1), text
    assert hosts.asked() == ["switchover --to mac --as test"]
    code, changed, text = hosts.play("switchover", switchover_to="mac")
    assert (code, changed) == (0, 0), text
    assert len(hosts.asked()) == 1


@pytest.mark.parametrize(
    ("leader", "lag", "spooled", "why"),
    [
        ("mac", 6, 0, "vps is 6 s behind"),
        ("mac", None, 0, "vps is ? s behind"),
        ("mac", 0, 21, "21 events wait"),
        (None, 0, 0, "Nobody leads"),
    ],
)
def test_guests_are_not_made_to_wait(
    hosts: Hosts, leader: str | None, lag: float | None, spooled: int, why: str
) -> None:
    hosts.stand(leader, lag, spooled)
    code, _, text = hosts.play("switchover")
    assert code != 0
    assert why in text
    assert hosts.asked() == []

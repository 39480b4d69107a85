"""The program that holds the private link on the Mac, with stand-ins for wg and wg-quick.

They report each call on a pipe, so that a test waits for the call and not for a time.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "roles/link/files/link"
CONFIGURATION = """\
[Interface]
Address = 10.86.0.2/32

[Peer]
PublicKey = PEER
Endpoint = vps.example.invalid:51820
"""
SECONDS = 10

WG_QUICK = """\
#!/bin/sh
case $1 in up) touch "$STATE/alive";; down) rm -f "$STATE/alive";; esac
echo "wg-quick $1" >"$STATE/calls"
"""
WG = """\
#!/bin/sh
if [ "$1" = set ]; then
    echo "$*" >"$STATE/calls"
elif [ "${3:-}" = latest-handshakes ]; then
    printf 'PEER\\t%s\\n' "$(cat "$STATE/handshake")"
else
    test -e "$STATE/alive"
fi
"""


@dataclass
class Link:
    """The program's surroundings; `calls` is the pipe."""

    directory: Path
    calls: int

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [PROGRAM, self.directory / "portiere-test.conf", "0.05"],
            env={"STATE": str(self.directory), "PATH": f"{self.directory}/bin:/usr/bin:/bin"},
        )

    def next_call(self) -> str:
        return os.read(self.calls, 200).decode().splitlines()[0]

    @property
    def alive(self) -> Path:
        return self.directory / "alive"

    @property
    def handshake(self) -> Path:
        return self.directory / "handshake"


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Link]:
    (tmp_path / "bin").mkdir()
    for name, content in {"wg": WG, "wg-quick": WG_QUICK}.items():
        (tmp_path / "bin" / name).write_text(content)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "portiere-test.conf").write_text(CONFIGURATION)
    os.mkfifo(tmp_path / "calls")
    calls = os.open(tmp_path / "calls", os.O_RDWR)
    (tmp_path / "handshake").write_text(str(int(time.time())))
    yield Link(tmp_path, calls)
    os.close(calls)


def test_brings_the_link_up_and_down_with_itself(link: Link) -> None:
    process = link.start()
    assert link.next_call() == "wg-quick up"
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
    assert link.next_call() == "wg-quick down"
    assert not link.alive.exists()


def test_clears_away_what_a_killed_one_left(link: Link) -> None:
    link.alive.touch()
    process = link.start()
    assert [link.next_call(), link.next_call()] == ["wg-quick down", "wg-quick up"]
    process.terminate()
    assert process.wait(SECONDS) == 0


def test_ends_with_an_error_when_the_interface_is_gone(link: Link) -> None:
    """launchd then starts it again."""
    process = link.start()
    assert link.next_call() == "wg-quick up"
    link.alive.unlink()
    assert process.wait(SECONDS) == 1
    assert link.next_call() == "wg-quick down"


def test_looks_the_name_up_again_when_nobody_answers(link: Link) -> None:
    link.handshake.write_text(str(int(time.time()) - 181))
    process = link.start()
    assert link.next_call() == "wg-quick up"
    expected = "set portiere-test peer PEER endpoint vps.example.invalid:51820"
    assert link.next_call() == expected
    process.terminate()
    assert process.wait(SECONDS) == 0

"""The demo says what is wrong, and leaves nothing running."""

import os
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import demo
from app.demo_process import Child, LogFile
from app.providers.sandbox.config import SandboxConfig
from app.settings import Settings

PATIENCE = 10.0


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogFile]:
    """An open log."""
    with LogFile(tmp_path / "demo.log") as found:
        yield found


def _child(log: LogFile, code: str, given: str = "", word: str | None = None) -> Child:
    command = [sys.executable, "-c", code]
    ended = threading.Event()
    return Child("child", command, os.environ, log, ended, given=given, ready_word=word)


@pytest.mark.parametrize("option", ["--port", "--gateway-port"])
def test_a_taken_port_is_named(option: str, taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    free = demo._free()
    ports = (taken, free) if option == "--port" else (free, taken)
    assert demo.run_demo(*ports) == 1
    told = capsys.readouterr().err
    assert f"port {taken} is taken" in told
    assert option in told


def test_the_settings_are_complete_and_hold_nothing_of_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = demo.make_environment(demo.Ports(1, 2, 3), tmp_path, "invented")
    for name in [name for name in os.environ if name.startswith("PORTIERE_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found, played = Settings(), SandboxConfig()
    assert not found.ha_authority
    assert found.bind_addresses == [("127.0.0.1", 2)]
    assert played.api_key == found.spoki_api_key
    assert played.webhook_secret == found.spoki_webhook_secret
    assert played.webhook_url == "http://127.0.0.1:2/webhooks/spoki"


@pytest.mark.thorough
def test_one_that_ends_by_itself_is_named_with_its_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # What went wrong leaves its directory behind on purpose.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    broken = [sys.executable, "-c", "print('no facts'); raise SystemExit(3)"]
    monkeypatch.setattr(demo, "_portiere", lambda *_: broken)
    assert demo.run_demo(demo._free(), demo._free()) == 1
    told = capsys.readouterr().err
    assert "the gateway ended by itself (exit 3)" in told
    assert "no facts" in told
    path = Path(told.rsplit("All logs: ", 1)[1].strip())
    lines = path.read_text().splitlines()
    assert "gateway  no facts" in lines
    assert any(line.startswith("queue ") for line in lines)


def test_a_child_reads_what_it_is_given_and_its_lines_are_logged(log: LogFile) -> None:
    child = _child(log, "print(input()[::-1])", given="olleh\n")
    child.start()
    assert child._ended.wait(PATIENCE)
    assert child.exit_code() == 0
    assert child.tail() == "  hello"
    assert log.path.read_text() == "child    hello\n"


def test_a_child_says_when_it_is_ready_and_ends_when_told(log: LogFile) -> None:
    waits = "print('up and ready', flush=True); __import__('signal').pause()"
    child = _child(log, waits, word="ready")
    child.start()
    assert child.ready.wait(PATIENCE)
    assert child.exit_code() is None
    child.stop()
    assert child.exit_code() == -15
    assert child._ended.is_set()

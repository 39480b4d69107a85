"""The stand-in for launchctl shows the traps of a Mac, with their numbers."""

import os
import plistlib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.standins.launchd import jobs, launchctl, plist, units

LABEL = "app.test.job"
TARGET = f"system/{LABEL}"


class FakeSystemd:
    """Stands behind ``units.systemctl``; ``pid`` is what the job's process has."""

    def __init__(self) -> None:
        self.pid = 0
        self.calls: list[tuple[str, ...]] = []

    def __call__(self, *words: str, check: bool = True) -> str:
        self.calls.append(words)
        match words[0]:
            case "start" | "restart":
                self.pid += 41
            case "stop":
                self.pid = 0
        active = "active" if self.pid else "inactive"
        return f"ActiveState={active}\nSubState=running\nMainPID={self.pid}\n"


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSystemd:
    fake = FakeSystemd()
    monkeypatch.setattr(units, "systemctl", fake)
    monkeypatch.setattr(units, "UNIT_DIRECTORY", tmp_path / "units")
    monkeypatch.setattr(jobs, "LOADED", tmp_path / "loaded")
    monkeypatch.setattr(jobs, "OVERRIDES", tmp_path / "disabled.plist")
    monkeypatch.setattr(jobs, "LINGER_SECONDS", 0)
    # The background half of bootout: a test runs it when it wants to.
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: None)
    monkeypatch.setattr(plist, "OWNER", (os.getuid(), os.getgid()))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return fake


@pytest.fixture
def daemon(tmp_path: Path) -> Path:
    return _daemon(tmp_path, KeepAlive=True)


def _daemon(directory: Path, **extra: Any) -> Path:
    path = directory / f"{LABEL}.plist"
    path.write_bytes(
        plistlib.dumps({"Label": LABEL, "ProgramArguments": ["/bin/sleep", "9"]} | extra)
    )
    path.chmod(0o644)
    return path


def _ctl(*words: str | Path) -> int:
    return launchctl.main([str(word) for word in words])


@pytest.mark.usefixtures("systemd")
def test_loads_starts_and_prints(daemon: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _ctl("bootstrap", "system", daemon) == 0
    assert _ctl("print", TARGET) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"{TARGET} = {{"
    for line in ("state = running", "pid = 41", f"path = {daemon}", "program = /bin/sleep"):
        assert f"\t{line}" in printed
    assert "\tlast exit code = (never exited)" in printed


def test_a_scheduled_job_is_loaded_and_not_started(tmp_path: Path, systemd: FakeSystemd) -> None:
    assert _ctl("bootstrap", "system", _daemon(tmp_path, StartInterval=60)) == 0
    started = [words[-1] for words in systemd.calls if words[0] == "start"]
    assert started == [f"launchd-{LABEL}.timer"]


def test_one_that_runs_at_load_as_well_is_started_both_ways(
    tmp_path: Path, systemd: FakeSystemd
) -> None:
    path = _daemon(tmp_path, StartInterval=300, RunAtLoad=True)
    assert _ctl("bootstrap", "system", path) == 0
    started = [words[-1] for words in systemd.calls if words[0] == "start"]
    assert started == [f"launchd-{LABEL}.timer", f"launchd-{LABEL}.service"]


@pytest.mark.usefixtures("systemd")
def test_bootstrap_of_a_loaded_job_is_5(daemon: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _ctl("bootstrap", "system", daemon)
    assert _ctl("bootstrap", "system", daemon) == 5
    assert "Bootstrap failed: 5: Input/output error" in capsys.readouterr().err


@pytest.mark.usefixtures("systemd")
def test_bootout_returns_before_the_job_is_gone(daemon: Path) -> None:
    _ctl("bootstrap", "system", daemon)
    assert _ctl("bootout", TARGET) == 0
    assert _ctl("print", TARGET) == 0
    assert _ctl("bootstrap", "system", daemon) == 5
    assert _ctl("bootout", TARGET) == 36
    jobs.reap(LABEL)
    assert _ctl("print", TARGET) == 113
    assert _ctl("bootout", TARGET) == 3
    assert _ctl("bootstrap", "system", daemon) == 0


@pytest.mark.usefixtures("systemd")
def test_the_disabled_override_outlives_the_plist(daemon: Path) -> None:
    assert _ctl("disable", TARGET) == 0
    daemon.unlink()
    again = _daemon(daemon.parent)
    assert _ctl("bootstrap", "system", again) == 119
    assert _ctl("enable", TARGET) == 0
    assert _ctl("bootstrap", "system", again) == 0


@pytest.mark.usefixtures("systemd")
def test_an_enabled_override_wins_over_the_plist(tmp_path: Path) -> None:
    path = _daemon(tmp_path, Disabled=True)
    assert _ctl("bootstrap", "system", path) == 119
    _ctl("enable", TARGET)
    assert _ctl("bootstrap", "system", path) == 0


@pytest.mark.usefixtures("systemd")
def test_there_is_no_gui_domain(daemon: Path) -> None:
    assert _ctl("bootstrap", "gui/501", daemon) == 125
    assert _ctl("print", f"gui/501/{LABEL}") == 125


@pytest.mark.usefixtures("systemd")
def test_an_unknown_service_is_113(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("print", "kickstart"):
        assert _ctl(command, TARGET) == 113
        said = capsys.readouterr().err
        assert f'Could not find service "{LABEL}" in domain for system' in said


@pytest.mark.usefixtures("systemd")
def test_kickstart(daemon: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _ctl("bootstrap", "system", daemon)
    assert _ctl("kickstart", TARGET) == 37
    assert _ctl("kickstart", "-kp", TARGET) == 0
    assert capsys.readouterr().out == "service spawned with pid: 82\n"


@pytest.mark.usefixtures("systemd")
def test_only_root_changes_jobs(daemon: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _ctl("bootstrap", "system", daemon)
    monkeypatch.setattr(os, "geteuid", lambda: 501)
    assert _ctl("bootstrap", "system", daemon) == 5
    assert [_ctl(verb, TARGET) for verb in ("bootout", "enable", "disable", "kickstart")] == [1] * 4
    assert _ctl("print", TARGET) == 0


def test_a_changed_plist_counts_from_the_next_load(daemon: Path, systemd: FakeSystemd) -> None:
    _ctl("bootstrap", "system", daemon)
    _daemon(daemon.parent, Program="/bin/other")
    job = jobs.require(LABEL)
    assert job.program == "/bin/sleep"
    assert systemd.pid


@pytest.mark.usefixtures("systemd")
def test_last_exit(daemon: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _ctl("bootstrap", "system", daemon)
    (jobs.directory(LABEL) / "exit.json").write_text('{"code": "killed", "status": "KILL"}')
    _ctl("print", TARGET)
    assert "\tlast terminating signal = Killed: 9\n" in capsys.readouterr().out
    (jobs.directory(LABEL) / "exit.json").write_text('{"code": "exited", "status": "78"}')
    _ctl("print", TARGET)
    assert "\tlast exit code = 78: EX_CONFIG\n" in capsys.readouterr().out


def test_unknown_commands_are_refused() -> None:
    assert launchctl.main(["load", "-w", "/x.plist"]) == 64
    assert launchctl.main([]) == 64

"""The stand-in for launchd reads property lists at least as strictly as launchd."""

import plistlib
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.standins.launchd import plist, units

SOUND: dict[str, Any] = {"Label": "app.test.job", "ProgramArguments": ["/bin/true", "--now"]}


def _file(directory: Path, raw: object, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = directory / "app.test.job.plist"
    path.write_bytes(plistlib.dumps(raw))  # type: ignore[arg-type] # wrong ones, too
    path.chmod(0o644)
    monkeypatch.setattr(plist, "OWNER", (path.stat().st_uid, path.stat().st_gid))
    return path


def _number(path: Path) -> int:
    with pytest.raises(plist.LaunchdError) as caught:
        plist.read(path)
    return caught.value.number


def test_reads_a_sound_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = plist.read(_file(tmp_path, SOUND, monkeypatch))
    assert (job.label, job.program, job.throttle) == ("app.test.job", "/bin/true", 10)
    assert not job.starts_at_load


def test_missing_file_is_error_2(tmp_path: Path) -> None:
    assert _number(tmp_path / "none.plist") == 2


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_writable_by_others_is_error_122(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    path = _file(tmp_path, SOUND, monkeypatch)
    path.chmod(mode)
    assert _number(path) == 122


def test_foreign_owner_is_error_122(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _file(tmp_path, SOUND, monkeypatch)
    monkeypatch.setattr(plist, "OWNER", (path.stat().st_uid + 1, path.stat().st_gid))
    assert _number(path) == 122


@pytest.mark.parametrize("text", [b"", b"Label: x", b"<plist><dict></plist>"])
def test_no_property_list_is_error_109(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    path = _file(tmp_path, SOUND, monkeypatch)
    path.write_bytes(text)
    assert _number(path) == 109


@pytest.mark.parametrize(
    "change",
    [
        {"Label": ""},
        {"Label": "with space"},
        {"ProgramArguments": []},
        {"ProgramArguments": [1]},
        {"KeepAlive": "yes"},
        {"KeepAlive": {"NetworkState": True}},
        {"RunAtLoad": 1},
        {"StartInterval": True},
        {"ThrottleInterval": "10"},
        {"EnvironmentVariables": {"A": 1}},
        {"ProcessType": "Fast"},
        {"SoftResourceLimits": {"Stack": 1}},
        {"StartCalendarInterval": {"Second": 1}},
        {"StartCalendarInterval": [{"Hour": "3"}]},
        {"RunAtload": True},
    ],
    ids=str,
)
def test_malformed_job_is_error_109(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    assert _number(_file(tmp_path, SOUND | change, monkeypatch)) == 109


def _job(**extra: Any) -> plist.Job:
    return plist.parse(SOUND | extra, Path("/x.plist"))


@pytest.mark.parametrize(
    ("keep", "restart"),
    [
        (True, "Restart=always"),
        (False, "Restart=no"),
        ({"SuccessfulExit": False}, "Restart=on-failure"),
        ({"SuccessfulExit": True}, "Restart=on-success"),
        ({"Crashed": True}, "Restart=on-abnormal"),
    ],
)
def test_keep_alive(keep: bool | dict[str, bool], restart: str) -> None:
    assert restart in units.service(_job(KeepAlive=keep)).splitlines()


def test_a_signal_is_no_successful_exit() -> None:
    text = units.service(_job(KeepAlive={"SuccessfulExit": False}))
    assert "RestartForceExitStatus=SIGHUP SIGINT SIGTERM SIGPIPE" in text


def test_no_timer_without_a_time() -> None:
    assert units.timer(_job(RunAtLoad=True)) is None


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        ({"StartInterval": 900}, "OnUnitActiveSec=900"),
        ({"StartCalendarInterval": {"Hour": 3, "Minute": 5}}, "OnCalendar=*-*-* 3:5:00"),
        ({"StartCalendarInterval": {"Minute": 0}}, "OnCalendar=*-*-* *:0:00"),
        ({"StartCalendarInterval": {"Weekday": 7, "Hour": 1}}, "OnCalendar=Sun *-*-* 1:*:00"),
        ({"StartCalendarInterval": [{"Day": 1}, {"Month": 2}]}, "OnCalendar=*-2-* *:*:00"),
    ],
    ids=str,
)
def test_times(extra: dict[str, Any], line: str) -> None:
    assert line in (units.timer(_job(**extra)) or "").splitlines()

"""The module `launchd_daemon` against each trap of launchd."""

import os
import plistlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .launchd import LABEL, PROGRAM, TARGET, FakeLaunchd

PLIST = {
    "Label": LABEL,
    "ProgramArguments": [PROGRAM, "serve"],
    "EnvironmentVariables": {"PORTIERE_ENV_FILE": "/opt/portiere/etc/portiere.env"},
    "KeepAlive": True,
    "RunAtLoad": True,
}
TIMER = {"Label": LABEL, "ProgramArguments": [PROGRAM, "serve"], "StartCalendarInterval": {}}
RELOAD = ["bootout", "enable", "bootstrap"]


def talk_to(module: ModuleType, fake: FakeLaunchd, timeout: float = 10) -> Any:
    return module.Launchd(
        fake.run, LABEL, "/Library/LaunchDaemons/x.plist", timeout, fake.clock, fake.pause
    )


def converge(module: ModuleType, fake: FakeLaunchd, state: str, **files: Any) -> list[str]:
    """Plan and do; return the plan."""
    launchd = talk_to(module, fake)
    steps: list[str] = module.plan(
        state, launchd.job(), module.Files(files.pop("plist", PLIST), **files)
    )
    for step in steps:
        launchd.do(step)
    return steps


def test_a_healthy_job_is_left_alone(launchd_daemon: ModuleType) -> None:
    fake = FakeLaunchd(loaded=True, pid=7)
    assert converge(launchd_daemon, fake, "loaded") == []
    assert fake.calls == []


def test_a_job_that_crashed_once_is_left_to_launchd(launchd_daemon: ModuleType) -> None:
    fake = FakeLaunchd(loaded=True, pid=None)
    assert converge(launchd_daemon, fake, "loaded") == []


def test_a_file_on_disk_is_no_loaded_job(launchd_daemon: ModuleType) -> None:
    fake = FakeLaunchd()
    assert converge(launchd_daemon, fake, "loaded") == ["enable", "bootstrap"]
    assert fake.pid == 500


def test_the_override_is_lifted_before_the_bootstrap(launchd_daemon: ModuleType) -> None:
    fake = FakeLaunchd(disabled=True)
    converge(launchd_daemon, fake, "loaded")
    assert fake.calls == [
        f"enable {TARGET}",
        "bootstrap system /Library/LaunchDaemons/x.plist",
    ]


def test_a_running_job_that_would_not_survive_a_boot_is_enabled(launchd_daemon: ModuleType) -> None:
    fake = FakeLaunchd(loaded=True, pid=7, disabled=True)
    assert converge(launchd_daemon, fake, "loaded") == ["enable"]
    assert fake.pid == 7


def test_a_bootstrap_waits_for_the_end_of_bootout(launchd_daemon: ModuleType) -> None:
    fake = FakeLaunchd(loaded=True, pid=7, lingers=5)
    assert converge(launchd_daemon, fake, "loaded", plist_is_newer=True) == RELOAD
    assert fake.calls.count("bootstrap system /Library/LaunchDaemons/x.plist") == 1
    assert fake.now > 0


def test_a_bootstrap_is_tried_again_after_an_input_output_error(launchd_daemon: ModuleType) -> None:
    fake = FakeLaunchd(bootstrap_errors=[5, 37, 5])
    converge(launchd_daemon, fake, "loaded")
    assert fake.loaded


def test_a_bootstrap_that_never_succeeds_says_what_to_look_at(launchd_daemon: ModuleType) -> None:
    fake = FakeLaunchd(bootstrap_errors=[5] * 1000)
    with pytest.raises(launchd_daemon.LaunchdError, match="plutil -lint"):
        converge(launchd_daemon, fake, "loaded")
    assert fake.now == pytest.approx(10)


@pytest.mark.parametrize(("code", "hint"), [(119, "print-disabled"), (125, "LaunchDaemons")])
def test_what_time_cannot_heal_fails_at_once(
    launchd_daemon: ModuleType, code: int, hint: str
) -> None:
    fake = FakeLaunchd(bootstrap_errors=[code])
    with pytest.raises(launchd_daemon.LaunchdError, match=hint):
        converge(launchd_daemon, fake, "loaded")
    assert fake.now == 0


def test_a_job_that_never_goes_is_reported(launchd_daemon: ModuleType) -> None:
    fake = FakeLaunchd(loaded=True, pid=7, lingers=10_000)
    with pytest.raises(launchd_daemon.LaunchdError, match="still there after bootout"):
        converge(launchd_daemon, fake, "unloaded")


def test_only_the_program_changed_is_a_kickstart(launchd_daemon: ModuleType) -> None:
    fake = FakeLaunchd(loaded=True, pid=7)
    assert converge(launchd_daemon, fake, "loaded", watched_is_newer=True) == ["kickstart"]
    assert fake.calls == [f"kickstart -k {TARGET}"]
    assert fake.pid == 8


def test_other_arguments_than_launchd_has_are_a_reload(launchd_daemon: ModuleType) -> None:
    fake = FakeLaunchd(loaded=True, pid=7)
    changed = {**PLIST, "ProgramArguments": [PROGRAM, "work"]}
    assert converge(launchd_daemon, fake, "loaded", plist=changed) == RELOAD


def test_another_environment_than_launchd_has_is_a_reload(launchd_daemon: ModuleType) -> None:
    fake = FakeLaunchd(loaded=True, pid=7)
    changed = {**PLIST, "EnvironmentVariables": {"PORTIERE_ENV_FILE": "/elsewhere"}}
    assert converge(launchd_daemon, fake, "loaded", plist=changed) == RELOAD


@pytest.mark.parametrize("state", ["loaded", "restarted"])
def test_a_timer_is_never_started(launchd_daemon: ModuleType, state: str) -> None:
    fake = FakeLaunchd(loaded=True)
    assert converge(launchd_daemon, fake, state, plist=TIMER, watched_is_newer=True) == []


def test_restarted_restarts(launchd_daemon: ModuleType) -> None:
    fake = FakeLaunchd(loaded=True, pid=7)
    assert converge(launchd_daemon, fake, "restarted") == ["kickstart"]


def test_restarted_reloads_a_changed_property_list(launchd_daemon: ModuleType) -> None:
    fake = FakeLaunchd(loaded=True, pid=7)
    assert converge(launchd_daemon, fake, "restarted", plist_is_newer=True) == RELOAD


def test_restarted_leaves_a_missing_job_to_its_task(launchd_daemon: ModuleType) -> None:
    assert converge(launchd_daemon, FakeLaunchd(), "restarted") == []


def test_unloaded_takes_a_job_out_once(launchd_daemon: ModuleType) -> None:
    fake = FakeLaunchd(loaded=True, pid=7, lingers=2)
    assert converge(launchd_daemon, fake, "unloaded") == ["bootout"]
    assert not fake.loaded
    assert converge(launchd_daemon, fake, "unloaded") == []


def test_an_unknown_answer_of_print_is_not_taken_for_absence(launchd_daemon: ModuleType) -> None:
    launchd = launchd_daemon.Launchd(lambda _: (1, "", "Operation not permitted"), LABEL, "/x", 1)
    with pytest.raises(launchd_daemon.LaunchdError, match="not permitted"):
        launchd.job()


def test_print_is_read(launchd_daemon: ModuleType) -> None:
    job = talk_to(launchd_daemon, FakeLaunchd(loaded=True, pid=7)).job()
    assert job.pid == 7
    assert job.arguments == (PROGRAM, "serve")
    assert job.environment["PORTIERE_ENV_FILE"] == "/opt/portiere/etc/portiere.env"


@pytest.mark.parametrize(
    ("text", "disabled"),
    [
        (f'\t"{LABEL}" => disabled\n', True),
        (f'\t"{LABEL}" => true\n', True),
        (f'\t"{LABEL}" => enabled\n', False),
        (f'\t"{LABEL}.other" => disabled\n', False),
        ("", False),
    ],
)
def test_overrides_are_read(launchd_daemon: ModuleType, text: str, disabled: bool) -> None:
    assert launchd_daemon.parse_disabled(text, LABEL) is disabled


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("   00:07\n", 7), ("01:02:03", 3723), ("2-00:00:10", 172_810), ("59:59", 3599)],
)
def test_the_age_of_a_process_is_read(launchd_daemon: ModuleType, text: str, seconds: int) -> None:
    assert launchd_daemon.parse_elapsed(text) == seconds


def test_of_a_link_its_own_age_counts(launchd_daemon: ModuleType, tmp_path: Path) -> None:
    target, link = tmp_path / "release", tmp_path / "current"
    target.mkdir()
    link.symlink_to(target)
    os.utime(target, (2000, 2000))
    os.utime(link, (1000, 1000), follow_symlinks=False)
    assert not launchd_daemon.newer_than([str(link)], 1500)
    assert launchd_daemon.newer_than([str(target)], 1500)
    assert not launchd_daemon.newer_than([str(tmp_path / "missing")], 0)


def test_a_property_list_that_is_not_there_yet_is_empty(
    launchd_daemon: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "x.plist"
    assert launchd_daemon.read_plist(str(path)) == {}
    path.write_bytes(plistlib.dumps(PLIST))
    assert launchd_daemon.read_plist(str(path)) == PLIST


class FakeModule:
    """As much of AnsibleModule as `converge` uses."""

    def __init__(self, fake: FakeLaunchd, plist: Path, check_mode: bool) -> None:
        self.check_mode = check_mode
        self.params = {
            "label": LABEL,
            "plist": str(plist),
            "state": "loaded",
            "watch": [],
            "timeout": 1,
        }
        self._fake = fake

    def get_bin_path(self, name: str, **_: object) -> str:
        return f"/bin/{name}"

    def run_command(self, words: list[str]) -> tuple[int, str, str]:
        return (0, "  00:10", "") if words[0] == "/bin/ps" else self._fake.run(words[1:])


def test_check_mode_on_a_fresh_host_tells_and_touches_nothing(
    launchd_daemon: ModuleType, tmp_path: Path
) -> None:
    fake = FakeLaunchd()
    result = launchd_daemon.converge(FakeModule(fake, tmp_path / "none.plist", check_mode=True))
    assert result["changed"]
    assert result["diff"] == {"before": "not loaded\n", "after": "enable\nbootstrap\n"}
    assert fake.calls == []


def test_loading_what_was_never_written_says_so(launchd_daemon: ModuleType, tmp_path: Path) -> None:
    module = FakeModule(FakeLaunchd(), tmp_path / "none.plist", check_mode=False)
    with pytest.raises(launchd_daemon.LaunchdError, match=r"none\.plist isn't there"):
        launchd_daemon.converge(module)


def test_a_property_list_newer_than_the_process_is_loaded_again(
    launchd_daemon: ModuleType, tmp_path: Path
) -> None:
    plist = tmp_path / "x.plist"
    plist.write_bytes(plistlib.dumps(PLIST))
    fake = FakeLaunchd(loaded=True, pid=7)
    result = launchd_daemon.converge(FakeModule(fake, plist, check_mode=False))
    assert result["steps"] == RELOAD
    assert result["pid"] == 500

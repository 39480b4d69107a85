#!/usr/bin/python
"""Ansible module: one launchd daemon, loaded and running what is on the disk.

Runs with the Python of the Mac's command line tools, 3.9, so nothing newer is used here.
"""

from __future__ import annotations

import os
import plistlib
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Run = Callable[[list[str]], tuple[int, str, str]]

DOCUMENTATION = """
module: launchd_daemon
short_description: Load, reload and restart a launchd daemon
description:
  - Keeps one job of launchd's system domain loaded, and running what its files say.
  - Reads C(launchctl print) first and does only what is missing. A job that is fine is left alone,
    also one that crashed once and was started again by launchd.
  - When the property list is newer than the process, or launchd runs other arguments than it names,
    the job is booted out, waited for until it is gone, enabled and bootstrapped again.
  - When only a file that the program reads has changed, C(launchctl kickstart -k) restarts it.
  - A job with a timetable is never started by this module, only by its time.
options:
  label:
    description: The job's label.
    type: str
    required: true
  plist:
    description: Path of its property list, written before by another task.
    type: path
    default: /Library/LaunchDaemons/<label>.plist
  state:
    description:
      - V(loaded) loads the job, or brings it up to date.
      - V(restarted) restarts it, or brings it up to date if that takes more. For handlers, so a job
        that isn't loaded is left to the task that loads it.
      - V(unloaded) takes it out of launchd until the next boot or the next V(loaded).
    type: str
    choices: [loaded, restarted, unloaded]
    default: loaded
  watch:
    description:
      - Paths of what the program reads only when it starts. One that is newer than the process
        means a restart, so a restart that an interrupted run owed is made by the next one.
      - Of a link its own age counts, so a link to the current release can be named.
    type: list
    elements: path
    default: []
  timeout:
    description: Seconds to wait for launchd at each step.
    type: int
    default: 60
"""

EXAMPLES = """
- name: The gateway runs
  launchd_daemon:
    label: app.portiere.gateway
    watch: [/opt/portiere/etc/portiere.env, /opt/portiere/current]
"""

RETURN = """
steps:
  description: What was asked of launchd, in order; under check mode, what would be.
  type: list
  elements: str
  returned: always
pid:
  description: The process, if the job runs.
  type: int
  returned: always
"""

DOMAIN = "system"
# launchctl's exit codes, as `launchctl error <n>` names them.
NO_SUCH_PROCESS = 3
INPUT_OUTPUT_ERROR = 5
OPERATION_NOW_IN_PROGRESS = 36
OPERATION_ALREADY_IN_PROGRESS = 37
SERVICE_NOT_FOUND = 113
SERVICE_DISABLED = 119
DOMAIN_NOT_FOUND = 125

HINTS = {
    INPUT_OUTPUT_ERROR: "launchd says no more than that. Look at the property list (plutil -lint; "
    "root:wheel, 0644) and whether its program exists and may be executed.",
    SERVICE_DISABLED: "An override keeps it off. See `launchctl print-disabled system`.",
    DOMAIN_NOT_FOUND: "That domain isn't there: a server needs LaunchDaemons, not agents.",
}
# launchd tells nobody when a job is gone or up: it can only be asked again.
POLL_SECONDS = 0.25
TIMETABLE_KEYS = ("StartInterval", "StartCalendarInterval", "WatchPaths", "QueueDirectories")


class LaunchdError(Exception):
    """launchd refused a step, or didn't finish it in time; the text says what to look at."""


class LaunchdTimeoutError(LaunchdError, TimeoutError):
    """A step was accepted but not done in time."""


@dataclass(frozen=True)
class Job:
    """What launchd says of a job. `arguments` is None when it doesn't say."""

    loaded: bool = False
    disabled: bool = False
    pid: int | None = None
    arguments: tuple[str, ...] | None = None
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Files:
    """What the disk says: the property list, and whether it or a watched file is newer."""

    plist: dict[str, Any]
    plist_is_newer: bool = False
    watched_is_newer: bool = False


def parse_print(text: str, disabled: bool = False) -> Job:
    """Read `launchctl print system/<label>` of a loaded job."""
    pid = re.search(r"^\tpid = (\d+)$", text, re.MULTILINE)
    arguments = _block(text, "arguments")
    environment = dict(
        line.split(" => ", 1) for line in _block(text, "environment") or () if " => " in line
    )
    return Job(
        loaded=True,
        disabled=disabled,
        pid=int(pid[1]) if pid else None,
        arguments=tuple(arguments) if arguments is not None else None,
        environment=environment,
    )


def _block(text: str, name: str) -> list[str] | None:
    """Return the lines of `<name> = { … }` one level down, or None when there is none."""
    found = re.search(rf"^\t{name} = \{{\n(.*?)^\t\}}", text, re.MULTILINE | re.DOTALL)
    return [line.strip() for line in found[1].splitlines()] if found else None


def parse_disabled(text: str, label: str) -> bool:
    """Read `launchctl print-disabled system`; before macOS 13 it says true for disabled."""
    return re.search(rf'"{re.escape(label)}" => (disabled|true)\b', text) is not None


def parse_elapsed(text: str) -> int:
    """Seconds of `ps -o etime=`, which is [[days-]hours:]minutes:seconds."""
    days, _, clock = text.strip().rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = seconds * 60 + int(part)
    return int(days or 0) * 86_400 + seconds


def has_timetable(plist: dict[str, Any]) -> bool:
    """Whether something else than its being loaded starts the job."""
    if plist.get("RunAtLoad") or plist.get("KeepAlive"):
        return False
    return any(key in plist for key in TIMETABLE_KEYS)


def differs(job: Job, plist: dict[str, Any]) -> bool:
    """Whether launchd holds another program or environment than the property list."""
    wanted = tuple(plist.get("ProgramArguments", ()))
    if wanted and job.arguments is not None and job.arguments != wanted:
        return True
    environment = plist.get("EnvironmentVariables", {})
    return bool(job.environment) and any(
        job.environment.get(name) != value for name, value in environment.items()
    )


def plan(state: str, job: Job, files: Files) -> list[str]:
    """Return the steps from what is to what shall be; empty when it is so already."""
    if state == "unloaded":
        return ["bootout"] if job.loaded else []
    if not job.loaded:
        return [] if state == "restarted" else ["enable", "bootstrap"]
    if files.plist_is_newer or differs(job, files.plist):
        return ["bootout", "enable", "bootstrap"]
    steps = ["enable"] if job.disabled else []
    restart = state == "restarted" or files.watched_is_newer
    if restart and not has_timetable(files.plist):
        steps.append("kickstart")
    return steps


@dataclass(frozen=True)
class Launchd:
    """Asks launchd for one job's steps and waits until each is really done.

    `run` takes launchctl's arguments and returns its exit code, stdout and stderr; `timeout` is
    in seconds and bounds each step.
    """

    run: Run
    label: str
    plist_path: str
    timeout: float
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    @property
    def target(self) -> str:
        """The job as launchctl names it."""
        return f"{DOMAIN}/{self.label}"

    def job(self) -> Job:
        """Ask what launchd knows of the job."""
        _, overrides, _ = self.run(["print-disabled", DOMAIN])
        disabled = parse_disabled(overrides, self.label)
        code, text, error = self.run(["print", self.target])
        if code == SERVICE_NOT_FOUND:
            return Job(disabled=disabled)
        if code:
            raise LaunchdError(self._complaint("print", code, error))
        return parse_print(text, disabled)

    def do(self, step: str) -> None:
        """Do one step of a plan; LaunchdError when it fails or takes too long."""
        {
            "bootout": self._bootout,
            "enable": self._enable,
            "bootstrap": self._bootstrap,
            "kickstart": self._kickstart,
        }[step]()

    def _bootout(self) -> None:
        code, _, error = self.run(["bootout", self.target])
        if code not in {0, NO_SUCH_PROCESS, OPERATION_NOW_IN_PROGRESS, SERVICE_NOT_FOUND}:
            raise LaunchdError(self._complaint("bootout", code, error))
        # It returns before the job is gone, and until then a bootstrap fails.
        self._wait("it is still there after bootout", lambda: not self.job().loaded)

    def _enable(self) -> None:
        # The override of an earlier `disable` outlives the job and its property list.
        self._expect_success("enable", self.target)

    def _bootstrap(self) -> None:
        last = ""

        def bootstrapped() -> bool:
            nonlocal last
            code, _, error = self.run(["bootstrap", DOMAIN, self.plist_path])
            if code == 0:
                return True
            last = self._complaint("bootstrap", code, error)
            if code not in {INPUT_OUTPUT_ERROR, OPERATION_ALREADY_IN_PROGRESS}:
                raise LaunchdError(last)
            return self.job().loaded

        try:
            self._wait("bootstrap doesn't succeed", bootstrapped)
        except TimeoutError:
            raise LaunchdError(last) from None

    def _kickstart(self) -> None:
        before = self.job().pid
        self._expect_success("kickstart", "-k", self.target)
        self._wait(
            "kickstart hasn't brought a new process", lambda: self.job().pid not in {None, before}
        )

    def _expect_success(self, *arguments: str) -> None:
        code, _, error = self.run(list(arguments))
        if code:
            raise LaunchdError(self._complaint(arguments[0], code, error))

    def _wait(self, otherwise: str, done: Callable[[], bool]) -> None:
        deadline = self.clock() + self.timeout
        while not done():
            if self.clock() >= deadline:
                raise LaunchdTimeoutError(f"{self.label}: {otherwise} ({self.timeout:.0f} s).")
            self.pause(POLL_SECONDS)

    def _complaint(self, step: str, code: int, error: str) -> str:
        text = f"launchctl {step} of {self.label} failed with {code}: {error.strip()}"
        hint = HINTS.get(code)
        return f"{text}\n{hint}" if hint else text


def newer_than(paths: Iterable[str], started: float) -> bool:
    """Whether one of `paths` changed after `started` (Unix time); a missing one doesn't count."""
    return any(os.path.lexists(path) and os.lstat(path).st_mtime > started for path in paths)


def read_plist(path: str) -> dict[str, Any]:
    """Read a property list; an empty mapping when there is no file (yet, under check mode)."""
    try:
        content: dict[str, Any] = plistlib.loads(Path(path).read_bytes())
    except FileNotFoundError:
        return {}
    return content


def look_at_files(module: AnsibleModule, plist_path: str, pid: int | None) -> Files:
    """Read the property list and compare the files' ages with the process's."""
    plist = read_plist(plist_path)
    if pid is None:
        return Files(plist)
    code, elapsed, _ = module.run_command(["/bin/ps", "-o", "etime=", "-p", str(pid)])
    if code:  # It ended in this moment: launchd starts it anew, from the files as they are.
        return Files(plist)
    started = time.time() - parse_elapsed(elapsed)
    return Files(
        plist,
        plist_is_newer=newer_than([plist_path], started),
        watched_is_newer=newer_than(module.params["watch"], started),
    )


def describe(job: Job, steps: list[str]) -> dict[str, str]:
    """Return before and after for --diff, in a few words."""
    before = "loaded" if job.loaded else "not loaded"
    if job.disabled:
        before += ", disabled"
    return {"before": f"{before}\n", "after": "\n".join([*steps, ""]) if steps else f"{before}\n"}


def converge(module: AnsibleModule) -> dict[str, Any]:
    """Bring the job to the state that is asked for; return the module's result."""
    label = module.params["label"]
    plist_path = module.params["plist"] or f"/Library/LaunchDaemons/{label}.plist"
    launchctl = module.get_bin_path("launchctl", required=True, opt_dirs=["/bin"])
    launchd = Launchd(
        lambda arguments: module.run_command([launchctl, *arguments]),
        label,
        plist_path,
        module.params["timeout"],
    )
    job = launchd.job()
    files = look_at_files(module, plist_path, job.pid)
    steps = plan(module.params["state"], job, files)
    result = {"changed": bool(steps), "steps": steps, "diff": describe(job, steps)}
    if module.check_mode:
        return {**result, "pid": job.pid}
    if "bootstrap" in steps and not files.plist:
        raise LaunchdError(f"{plist_path} isn't there: write it before loading {label}.")
    for step in steps:
        launchd.do(step)
    return {**result, "pid": launchd.job().pid if steps else job.pid}


def main() -> None:
    """Run as Ansible's module."""
    module = AnsibleModule(
        argument_spec={
            "label": {"type": "str", "required": True},
            "plist": {"type": "path"},
            "state": {"choices": ["loaded", "restarted", "unloaded"], "default": "loaded"},
            "watch": {"type": "list", "elements": "path", "default": []},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**converge(module))
    except LaunchdError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()

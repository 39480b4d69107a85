"""The ``launchctl`` command: the subcommands that a server's roles need."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from . import jobs, units
from .plist import Job, LaunchdError

# Error number -> text, as `launchctl error` has them.
TEXTS = {
    1: "Operation not permitted",
    2: "No such file or directory",
    3: "No such process",
    5: "Input/output error",
    36: "Operation now in progress",
    37: "Operation already in progress",
    64: "Unrecognized subcommand",
    109: "Invalid property list",
    113: "Could not find specified service",
    119: "Service is disabled",
    122: "Path had bad ownership/permissions",
    125: "Domain does not support specified action",
}
SIGNALS = {"HUP": "Hangup: 1", "INT": "Interrupt: 2", "ABRT": "Abort trap: 6"} | {
    "KILL": "Killed: 9",
    "SEGV": "Segmentation fault: 11",
    "PIPE": "Broken pipe: 13",
    "TERM": "Terminated: 15",
}


def bootstrap(words: list[str]) -> None:
    """`bootstrap system PATH…`."""
    domain, *paths = words
    _require_system(domain)
    _require_root(5, "Try re-running the command as root for richer errors.")
    for path in paths:
        with jobs.alone():
            jobs.bootstrap(Path(path))


def bootout(words: list[str]) -> None:
    """`bootout system/LABEL` or `bootout system PATH`."""
    domain, _, label = words[0].partition("/")
    _require_system(domain)
    _require_root(1)
    if not label and len(words) < 2:
        raise LaunchdError(125, "the stand-in does not unload a whole domain")
    with jobs.alone():
        jobs.bootout(label or _label_at(Path(words[1])))


def kickstart(words: list[str]) -> None:
    """`kickstart [-k] [-p] system/LABEL`."""
    options, label = _options(words, "kp")
    _require_root(1)
    with jobs.alone():
        pid = jobs.kickstart(label, kill="k" in options)
    if "p" in options:
        _say(f"service spawned with pid: {pid}")


def kill(words: list[str]) -> None:
    """`kill SIGNAL system/LABEL`."""
    number, target = words
    label = _label(target)
    _require_root(1)
    jobs.require(label)
    signal = number if number.isdigit() else number.removeprefix("SIG")
    units.systemctl(
        "kill", "--kill-whom=main", f"--signal={signal}", f"{units.name(label)}.service"
    )


def enable(words: list[str]) -> None:
    """`enable system/LABEL`."""
    _override(words[0], disabled=False)


def disable(words: list[str]) -> None:
    """`disable system/LABEL`."""
    _override(words[0], disabled=True)


def print_disabled(words: list[str]) -> None:
    """`print-disabled system`."""
    _require_system(words[0])
    lines = [
        f'\t"{label}" => {"disabled" if disabled else "enabled"}'
        for label, disabled in sorted(jobs.overrides().items())
    ]
    _say("\n".join(["disabled services = {", *lines, "}"]))


def list_jobs(words: list[str]) -> None:
    """`list`, or `list LABEL`."""
    if words:
        job = jobs.require(words[0])
        pid = units.running(job.label).pid
        running = [f'\t"PID" = {pid};'] if pid else []
        status = f'\t"LastExitStatus" = {_exit_status(job.label)};'
        _say("\n".join(["{", f'\t"Label" = "{job.label}";', status, *running, "};"]))
        return
    _say("PID\tStatus\tLabel")
    for label in jobs.labels():
        _say(f"{units.running(label).pid or '-'}\t{_exit_status(label)}\t{label}")


def print_job(words: list[str]) -> None:
    """`print system/LABEL`."""
    _say(describe(jobs.require(_label(words[0]))))


def describe(job: Job) -> str:
    """The text of `print`, as far as scripts read it."""
    now = units.running(job.label)
    state = "running" if now.pid else "spawn scheduled" if now.pending else "not running"
    raw = job.raw
    runs = jobs.directory(job.label) / "runs"
    environment = raw.get("EnvironmentVariables", {}) | {"XPC_SERVICE_NAME": job.label}
    lines = [
        f"active count = {int(bool(now.pid))}",
        f"path = {job.path}",
        "type = LaunchDaemon",
        f"state = {state}",
        "",
        f"program = {job.program}",
        *_block("arguments", job.arguments),
        "",
        *[f"working directory = {value}" for value in [raw.get("WorkingDirectory")] if value],
        *[f"stdout path = {value}" for value in [raw.get("StandardOutPath")] if value],
        *[f"stderr path = {value}" for value in [raw.get("StandardErrorPath")] if value],
        *_block("default environment", ["PATH => /usr/bin:/bin:/usr/sbin:/sbin"]),
        "",
        *_block("environment", [f"{key} => {value}" for key, value in environment.items()]),
        "",
        "domain = system",
        *[f"username = {value}" for value in [raw.get("UserName")] if value],
        *[f"group = {value}" for value in [raw.get("GroupName")] if value],
        f"minimum runtime = {job.throttle}",
        f"exit timeout = {raw.get('ExitTimeOut', 5)}",
        f"runs = {runs.read_text() if runs.exists() else 0}",
        *([f"pid = {now.pid}"] if now.pid else []),
        *_last_exit(job.label),
        "",
        "spawn type = daemon (3)",
        f"properties = {_properties(job)}",
    ]
    body = "\n".join(f"\t{line}" if line else "" for line in lines)
    return f"system/{job.label} = {{\n{body}\n}}"


def _block(name: str, lines: list[str]) -> list[str]:
    return [f"{name} = {{", *(f"\t{line}" for line in lines), "}"]


def _properties(job: Job) -> str:
    names = {"KeepAlive": "keepalive", "RunAtLoad": "runatload"}
    shown = [text for key, text in names.items() if job.raw.get(key)]
    return " | ".join([*shown, *([] if "Program" in job.raw else ["inferred program"])])


def _last_exit(label: str) -> list[str]:
    how = _exit(label)
    if not how:
        return ["last exit code = (never exited)"]
    if how["code"] == "exited":
        code = int(how["status"])
        return [f"last exit code = {code}{': EX_CONFIG' if code == 78 else ''}"]
    return [f"last terminating signal = {SIGNALS.get(how['status'], how['status'])}"]


def _exit(label: str) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads((jobs.directory(label) / "exit.json").read_text())
    except FileNotFoundError:
        return {}
    return found


def _exit_status(label: str) -> str:
    """As `list` shows it: 0 before the first exit, a signal as its negative number."""
    how = _exit(label)
    if how.get("code") == "exited":
        return how["status"]
    return f"-{SIGNALS[how['status']].split(': ')[1]}" if how.get("status") in SIGNALS else "0"


def _override(target: str, disabled: bool) -> None:
    label = _label(target)
    _require_root(1)
    with jobs.alone():
        jobs.override(label, disabled)


def _options(words: list[str], known: str) -> tuple[set[str], str]:
    """Leading one-letter options, together or apart, and the label of the target after them."""
    options: set[str] = set()
    while words and words[0].startswith("-"):
        options |= set(words.pop(0)[1:])
    if options - set(known) or not words:
        raise LaunchdError(64)
    return options, _label(words[0])


def _label(target: str) -> str:
    """The label in `system/LABEL`."""
    domain, _, label = target.partition("/")
    _require_system(domain)
    if not label:
        raise LaunchdError(64)
    return label


def _label_at(path: Path) -> str:
    for label in jobs.labels():
        if jobs.require(label).path == path:
            return label
    raise LaunchdError(3)


def _require_system(domain: str) -> None:
    """Only the system domain is there: nobody is logged in at the screen."""
    if domain.split("/", maxsplit=1)[0] != "system":
        raise LaunchdError(125)


def _require_root(number: int, advice: str = "") -> None:
    if os.geteuid():
        raise LaunchdError(number, advice)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


COMMANDS: dict[str, tuple[Callable[[list[str]], None], str]] = {
    "bootstrap": (bootstrap, "Bootstrap failed"),
    "bootout": (bootout, "Boot-out failed"),
    "enable": (enable, "Could not enable service"),
    "disable": (disable, "Could not disable service"),
    "kickstart": (kickstart, "Could not kickstart service"),
    "kill": (kill, "Could not signal service"),
    "print": (print_job, "Could not print service"),
    "print-disabled": (print_disabled, "Could not print domain"),
    "list": (list_jobs, "Could not list services"),
}


def main(words: list[str]) -> int:
    """Run one command line; the answer is the exit status."""
    command = words[0] if words else "help"
    if command == "version":
        _say("Darwin Bootstrapper Control Interface Version 7.0.0 (rehearsal)")
        return 0
    if command not in COMMANDS:
        sys.stderr.write(f"Unrecognized subcommand: {command}\n")
        return 64
    action, failed = COMMANDS[command]
    try:
        action(words[1:])
    except (IndexError, ValueError):
        sys.stderr.write(f"Usage: launchctl {command} …\n")
        return 64
    except LaunchdError as error:
        sys.stderr.write(_complaint(error, words, failed) + "\n")
        return error.number
    return 0


def _complaint(error: LaunchdError, words: list[str], failed: str) -> str:
    if error.number == 113:
        label = words[-1].partition("/")[2] or words[-1]
        return f'Bad request.\nCould not find service "{label}" in domain for system'
    text = f"{failed}: {error.number}: {TEXTS[error.number]}"
    return f"{text}\n{error.detail}" if error.detail else text

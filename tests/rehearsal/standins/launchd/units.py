"""A launchd job as systemd units: what is written, and what systemd says of it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from .plist import Job, calendar

UNIT_DIRECTORY = Path("/run/systemd/system")
HELPER = "/usr/libexec/rehearsal-launchd"

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")  # 0 and 7 are Sunday


@dataclass(frozen=True)
class Running:
    """What systemd knows of a job: its pid (0 if none), and whether it is about to start."""

    pid: int
    pending: bool


def name(label: str) -> str:
    """The unit of a job, without its suffix."""
    return f"launchd-{label}"


def service(job: Job) -> str:
    """The text of the job's service unit."""
    lines = [
        "[Unit]",
        f"Description={job.label}",
        "DefaultDependencies=no",
        "Conflicts=shutdown.target",
        "Before=shutdown.target",
        "StartLimitIntervalSec=0",
        "[Service]",
        "Type=exec",
        # launchd counts from spawn to spawn, systemd from exit to spawn: a helper waits instead.
        "RestartSec=0",
        "TimeoutStartSec=infinity",
        f"TimeoutStopSec={job.raw.get('ExitTimeOut', 5)}",
        f"ExecStartPre={HELPER} throttle {job.label}",
        f"ExecStart={HELPER} spawn {job.label}",
        f"ExecStopPost={HELPER} exited {job.label}",
        f"KillMode={'process' if job.raw.get('AbandonProcessGroup') else 'control-group'}",
        *_restart(job),
    ]
    return "\n".join(lines) + "\n"


def timer(job: Job) -> str | None:
    """The text of the job's timer unit; None if it is not started by time."""
    lines = []
    if seconds := job.raw.get("StartInterval"):
        lines += [f"OnActiveSec={seconds}", f"OnUnitActiveSec={seconds}"]
    lines += [f"OnCalendar={_calendar(entry)}" for entry in calendar(job.raw)]
    if not lines:
        return None
    return "\n".join(["[Timer]", "AccuracySec=1s", *lines]) + "\n"


def _restart(job: Job) -> list[str]:
    keep = job.raw.get("KeepAlive", False)
    if keep is True:
        return ["Restart=always"]
    if not keep:
        return ["Restart=no"]
    if "Crashed" in keep:
        return [f"Restart={'on-abnormal' if keep['Crashed'] else 'on-success'}"]
    if keep["SuccessfulExit"]:
        return ["Restart=on-success"]
    # systemd takes an end by these signals for a success, launchd does not.
    return ["Restart=on-failure", "RestartForceExitStatus=SIGHUP SIGINT SIGTERM SIGPIPE"]


def _calendar(entry: dict[str, int]) -> str:
    """One StartCalendarInterval in systemd's words; a missing key matches anything."""
    day = f"{_DAYS[entry['Weekday']]} " if "Weekday" in entry else ""
    month, date, hour = (entry.get(key, "*") for key in ("Month", "Day", "Hour"))
    return f"{day}*-{month}-{date} {hour}:{entry.get('Minute', '*')}:00"


def write(job: Job) -> None:
    """Put the job's units in place and make systemd read them."""
    UNIT_DIRECTORY.mkdir(parents=True, exist_ok=True)
    (UNIT_DIRECTORY / f"{name(job.label)}.service").write_text(service(job))
    if text := timer(job):
        (UNIT_DIRECTORY / f"{name(job.label)}.timer").write_text(text)
    systemctl("daemon-reload")


def start(job: Job) -> None:
    """Start what the job's load starts, without waiting for it."""
    if timer(job):
        systemctl("start", "--no-block", f"{name(job.label)}.timer")
    if job.starts_at_load:
        systemctl("start", "--no-block", f"{name(job.label)}.service")


def remove(label: str) -> None:
    """Stop the job, wait until it is gone, and remove its units."""
    systemctl("stop", f"{name(label)}.timer", check=False)
    systemctl("stop", f"{name(label)}.service", check=False)
    systemctl("reset-failed", f"{name(label)}.service", check=False)
    for suffix in ("service", "timer"):
        (UNIT_DIRECTORY / f"{name(label)}.{suffix}").unlink(missing_ok=True)
    systemctl("daemon-reload")


def running(label: str) -> Running:
    """The job's present state."""
    shown = systemctl(
        "show", f"{name(label)}.service", "--property=ActiveState,SubState,MainPID"
    ).splitlines()
    values = dict(line.split("=", 1) for line in shown)
    # Waiting for the throttle, systemd runs the helper; the job itself has no process yet.
    pending = values["ActiveState"] == "activating" and values["SubState"] != "start"
    return Running(0 if pending else int(values["MainPID"]), pending)


def systemctl(*words: str, check: bool = True) -> str:
    """Call systemctl and return what it printed."""
    command = ["/usr/bin/systemctl", *words]
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout

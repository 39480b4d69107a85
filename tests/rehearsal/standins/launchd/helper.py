"""What the units of a job call: throttle, spawn, note the exit, reap, load all at boot."""

import contextlib
import grp
import json
import os
import pwd
import resource
import sys
import time
from pathlib import Path
from typing import Any

from . import jobs
from .plist import Job, LaunchdError, all_paths

DAEMONS = Path("/Library/LaunchDaemons")
DEFAULT_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
DEFAULT_FILES = 256
BAD_CONFIGURATION = 78  # EX_CONFIG, launchd's exit status for a job that it can't spawn


def throttle(label: str) -> None:
    """Wait until the job's last spawn is long enough ago."""
    job = jobs.require(label)
    with contextlib.suppress(FileNotFoundError):
        last = float((jobs.directory(label) / "spawned").read_text())
        # The passing of time is the event awaited here.
        time.sleep(max(0.0, last + job.throttle - time.monotonic()))


def spawn(label: str) -> None:
    """Become the job's program, with what launchd gives it and no more."""
    job = jobs.require(label)
    home = jobs.directory(label)
    (home / "spawned").write_text(str(time.monotonic()))
    count = home / "runs"
    count.write_text(str(int(count.read_text()) + 1 if count.exists() else 1))
    try:
        environment = _become(job)
        os.execvpe(job.program, job.arguments, environment)
    except (OSError, KeyError, ValueError) as error:
        sys.stderr.write(f"{label}: can't be spawned: {error}\n")
        raise SystemExit(BAD_CONFIGURATION) from error


def exited(label: str) -> None:
    """Keep how the job ended; systemd forgets it with the next start."""
    how = {"code": os.environ.get("EXIT_CODE", ""), "status": os.environ.get("EXIT_STATUS", "")}
    if how["code"]:
        (jobs.directory(label) / "exit.json").write_text(json.dumps(how))


def boot() -> None:
    """Load every daemon that is not disabled; a broken plist is reported and passed over."""
    for path in all_paths(DAEMONS):
        try:
            jobs.bootstrap(path)
        except LaunchdError as error:
            sys.stderr.write(f"{path}: {error.number} {error.detail}\n")


def _become(job: Job) -> dict[str, str]:
    """Set limits, user, directory and files; the answer is the environment."""
    raw = job.raw
    _limit_files(raw)
    os.umask(_umask(raw.get("Umask", 0o022)))
    os.nice(raw.get("Nice", 0))
    environment = {"PATH": DEFAULT_PATH, "XPC_SERVICE_NAME": job.label, "XPC_FLAGS": "0x0"}
    if user := raw.get("UserName"):
        account = pwd.getpwnam(user)
        group = grp.getgrnam(raw["GroupName"]).gr_gid if "GroupName" in raw else account.pw_gid
        os.initgroups(user, group)
        os.setgid(group)
        os.setuid(account.pw_uid)
        environment |= {
            "HOME": account.pw_dir,
            "LOGNAME": user,
            "SHELL": account.pw_shell,
            "USER": user,
        }
    elif "GroupName" in raw:
        os.setgid(grp.getgrnam(raw["GroupName"]).gr_gid)
    os.chdir(raw.get("WorkingDirectory", "/"))
    _open_files(raw)
    extra: dict[str, str] = raw.get("EnvironmentVariables", {})
    return environment | extra


def _limit_files(raw: dict[str, Any]) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = raw.get("HardResourceLimits", {}).get("NumberOfFiles", most)
    soft = raw.get("SoftResourceLimits", {}).get("NumberOfFiles", DEFAULT_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, hard), hard))


def _umask(value: int | str) -> int:
    """A string is octal, a number is what it is."""
    return int(value, 8) if isinstance(value, str) else value


def _open_files(raw: dict[str, Any]) -> None:
    """As the job's user, so that a directory it may not write to shows."""
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for descriptor, key, flags in (
        (0, "StandardInPath", os.O_RDONLY),
        (1, "StandardOutPath", append),
        (2, "StandardErrorPath", append),
    ):
        opened = os.open(raw.get(key, "/dev/null"), flags, 0o666)
        os.dup2(opened, descriptor)
        os.close(opened)


def main() -> None:
    """``rehearsal-launchd throttle|spawn|exited|reap LABEL``, or ``boot``."""
    actions = {"throttle": throttle, "spawn": spawn, "exited": exited, "reap": jobs.reap}
    if sys.argv[1] == "boot":
        boot()
        return
    actions[sys.argv[1]](sys.argv[2])

"""The loaded jobs and the disabled overrides: what launchd remembers."""

import fcntl
import json
import plistlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import units
from .plist import Job, LaunchdError, parse, read

# Goes away with a reboot, as launchd's own memory does.
LOADED = Path("/run/launchd")
# Stays, as on a Mac, where it lies at this path too.
OVERRIDES = Path("/var/db/com.apple.xpc.launchd/disabled.plist")

# A job stays visible for a moment after its process ended: a real bootout is never instant.
LINGER_SECONDS = 0.3


@contextmanager
def alone() -> Iterator[None]:
    """Only one launchctl at a time changes the jobs."""
    LOADED.mkdir(parents=True, exist_ok=True)
    with (LOADED / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def directory(label: str) -> Path:
    """What is kept of one loaded job."""
    return LOADED / label


def loaded(label: str) -> Job | None:
    """The job as it was when it was loaded; later changes of its plist don't count."""
    try:
        kept = json.loads((directory(label) / "job.json").read_text())
    except FileNotFoundError:
        return None
    return parse(kept["raw"], Path(kept["path"]))


def require(label: str) -> Job:
    """The loaded job.

    Raises:
        LaunchdError: 113.
    """
    job = loaded(label)
    if job is None:
        raise LaunchdError(113)
    return job


def labels() -> list[str]:
    """All loaded jobs."""
    return sorted(entry.parent.name for entry in LOADED.glob("*/job.json"))


def bootstrap(path: Path) -> None:
    """Load the job at ``path``.

    Raises:
        LaunchdError: As ``plist.read``; 119 it is disabled; 5 it is loaded, or still on its way
            out. (macOS 10.15 and 11 say 37 for the former; 12 and later say 5 for both.)
    """
    job = read(path)
    if overrides().get(job.label, job.raw.get("Disabled", False)):
        raise LaunchdError(119)
    if loaded(job.label):
        raise LaunchdError(5)
    home = directory(job.label)
    home.mkdir(parents=True)
    units.write(job)
    (home / "job.json").write_text(json.dumps({"path": str(path), "raw": job.raw}))
    units.start(job)


def bootout(label: str) -> None:
    """Begin to unload the job; it is gone some time after this returns.

    Raises:
        LaunchdError: 3 it is not loaded; 36 it is on its way out already.
    """
    if not loaded(label):
        raise LaunchdError(3)
    leaving = directory(label) / "leaving"
    if leaving.exists():
        raise LaunchdError(36)
    leaving.touch()
    subprocess.run(
        ["/usr/bin/systemd-run", "--quiet", "--collect", "--no-block", units.HELPER, "reap", label],
        check=True,
        capture_output=True,
    )


def reap(label: str) -> None:
    """The second half of `bootout`, run in the background."""
    units.remove(label)
    time.sleep(LINGER_SECONDS)
    with alone():
        shutil.rmtree(directory(label))


def kickstart(label: str, kill: bool) -> int:
    """Start the job now, after killing it if ``kill``; the answer is its pid.

    Raises:
        LaunchdError: 113 it is not loaded; 37 it runs and was not to be killed.
    """
    require(label)
    if units.running(label).pid and not kill:
        raise LaunchdError(37)
    (directory(label) / "spawned").unlink(missing_ok=True)  # no throttle for a wanted start
    units.systemctl("restart", f"{units.name(label)}.service", check=False)
    return units.running(label).pid


def overrides() -> dict[str, bool]:
    """Label -> whether `disable` (True) or `enable` (False) was said last."""
    try:
        return dict(plistlib.loads(OVERRIDES.read_bytes()))
    except FileNotFoundError:
        return {}


def override(label: str, disabled: bool) -> None:
    """Remember `enable` or `disable`; neither loads, starts or stops anything."""
    OVERRIDES.parent.mkdir(parents=True, exist_ok=True)
    OVERRIDES.write_bytes(plistlib.dumps(overrides() | {label: disabled}))

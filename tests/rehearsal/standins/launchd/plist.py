"""Reading a daemon's property list, more strictly than launchd does."""

import os
import plistlib
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

CALENDAR_KEYS = {"Minute", "Hour", "Day", "Weekday", "Month"}
# Whose a daemon's property list must be: user and group.
OWNER = (0, 0)

PROCESS_TYPES = {"Background", "Standard", "Adaptive", "Interactive"}

# Key -> the types that its value may have.
KEYS: dict[str, tuple[type, ...]] = {
    "AbandonProcessGroup": (bool,),
    "Disabled": (bool,),
    "EnvironmentVariables": (dict,),
    "ExitTimeOut": (int,),
    "GroupName": (str,),
    "HardResourceLimits": (dict,),
    "InitGroups": (bool,),
    "KeepAlive": (bool, dict),
    "Label": (str,),
    "LowPriorityIO": (bool,),
    "Nice": (int,),
    "ProcessType": (str,),
    "Program": (str,),
    "ProgramArguments": (list,),
    "RunAtLoad": (bool,),
    "SoftResourceLimits": (dict,),
    "StandardErrorPath": (str,),
    "StandardInPath": (str,),
    "StandardOutPath": (str,),
    "StartCalendarInterval": (dict, list),
    "StartInterval": (int,),
    "ThrottleInterval": (int,),
    "Umask": (int, str),
    "UserName": (str,),
    "WorkingDirectory": (str,),
}


class LaunchdError(Exception):
    """An error as launchctl reports it: ``number`` is also the exit status."""

    def __init__(self, number: int, detail: str = "") -> None:
        super().__init__(detail or str(number))
        self.number = number
        self.detail = detail


@dataclass(frozen=True)
class Job:
    """A daemon as its property list describes it; ``raw`` is that list."""

    label: str
    path: Path
    program: str
    arguments: list[str]
    raw: dict[str, Any] = field(repr=False)

    @property
    def starts_at_load(self) -> bool:
        """RunAtLoad, and KeepAlive in any form that implies it."""
        return bool(self.raw.get("RunAtLoad") or self.raw.get("KeepAlive"))

    @property
    def throttle(self) -> int:
        """Seconds that must lie between two spawns (launchd's default: 10)."""
        return int(self.raw.get("ThrottleInterval", 10))


def read(path: Path) -> Job:
    """The job in the property list at ``path``.

    Raises:
        LaunchdError: 2 there is no such file, 122 it is not root's or not 0644, 109 it is no
            property list or not a job's.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise LaunchdError(2) from error
    loose = stat.S_IMODE(found.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)
    owned = (found.st_uid, found.st_gid) == OWNER
    if not owned or loose or not stat.S_ISREG(found.st_mode):
        raise LaunchdError(122, f"{path} must be a file of root:wheel that nobody else can write")
    try:
        raw = plistlib.loads(path.read_bytes())
    except (ValueError, ExpatError, plistlib.InvalidFileException, OSError) as error:
        raise LaunchdError(109, f"{path}: {error}") from error
    return parse(raw, path)


def parse(raw: object, path: Path) -> Job:
    """A job from a loaded property list.

    Raises:
        LaunchdError: 109, with what is wrong.
    """
    if not isinstance(raw, dict):
        raise LaunchdError(109, f"{path}: a job is a dictionary")
    for key, value in raw.items():
        _check_type(key, value, path)
    _check_values(raw, path)
    arguments = raw.get("ProgramArguments") or [raw.get("Program", "")]
    program = raw.get("Program") or arguments[0]
    return Job(raw["Label"], path, program, [str(word) for word in arguments], raw)


def _check_type(key: str, value: object, path: Path) -> None:
    if key not in KEYS:
        raise LaunchdError(109, f"{path}: {key}: the stand-in does not know this key")
    wanted = KEYS[key]
    # A bool is an int to Python, never to a property list.
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise LaunchdError(109, f"{path}: {key} has the wrong type")


def _check_values(raw: dict[str, Any], path: Path) -> None:
    problems = {
        "Label is missing or malformed": not re.fullmatch(r"[A-Za-z0-9._-]+", raw.get("Label", "")),
        "neither Program nor ProgramArguments": not (
            raw.get("Program") or raw.get("ProgramArguments")
        ),
        "ProgramArguments must be strings": not _strings(raw.get("ProgramArguments", [])),
        "EnvironmentVariables must be strings": not _strings(
            list(raw.get("EnvironmentVariables", {}).values())
        ),
        "ProcessType is unknown": raw.get("ProcessType", "Standard") not in PROCESS_TYPES,
        "KeepAlive: only SuccessfulExit and Crashed are known here": isinstance(
            raw.get("KeepAlive"), dict
        )
        and not set(raw["KeepAlive"]) <= {"SuccessfulExit", "Crashed"},
        "only NumberOfFiles can be limited here": any(
            set(raw.get(key, {})) - {"NumberOfFiles"}
            for key in ("SoftResourceLimits", "HardResourceLimits")
        ),
        "StartCalendarInterval is malformed": not all(
            isinstance(entry, dict)
            and set(entry) <= CALENDAR_KEYS
            and all(type(number) is int for number in entry.values())
            for entry in calendar(raw)
        ),
    }
    for problem, there in problems.items():
        if there:
            raise LaunchdError(109, f"{path}: {problem}")


def calendar(raw: dict[str, Any]) -> list[dict[str, int]]:
    """StartCalendarInterval as a list, whichever of its two forms it has."""
    value = raw.get("StartCalendarInterval", [])
    return [value] if isinstance(value, dict) else value


def _strings(values: list[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def all_paths(directory: Path) -> list[Path]:
    """The property lists that launchd looks at when the host boots."""
    return sorted(Path(entry) for entry in directory.glob("*.plist") if os.access(entry, os.R_OK))

"""What is wrong with this machine's backups, by what it knows of them; and what to do."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from app.backup.copying import copies
from app.backup.due import ours
from app.backup.kinds import PLANS, Kind
from app.backup.state import Drill, State
from app.settings import Settings

# What fails once is tried again five minutes later; what fails three times lasts.
LASTS: Final = timedelta(minutes=10)
# So many of its turns a backup may miss.
TURNS: Final = 3
# A night's drill may take its time; one that is missed is told in the morning.
DRILL_AGE: Final = timedelta(hours=30)


class Wrong(StrEnum):
    """What is wrong; also told to the other machine, by these words."""

    FAILED = "backup_failed"
    MISSING = "backup_missing"
    DRILL_FAILED = "drill_failed"
    DRILL_MISSING = "drill_missing"
    DISK_LOW = "disk_low"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, and what to do."""

    wrong: Wrong
    what: str
    remedy: str


def faults(
    settings: Settings, state: State, now: datetime, led_since: datetime | None = None
) -> list[Fault]:
    """All of them. ``led_since``: since when this machine leads, if it does and that is known.

    Of what the leader alone backs up, what was before is the other machine's.
    """
    found = list(_of_the_disk(settings))
    if not settings.repositories:
        return found
    for kind in ours(settings):
        for address in settings.repositories:
            found += _of_backup(state, kind, address, now, led_since)
    found += _of_nights(settings, state, now)
    return found


def free_bytes(settings: Settings) -> int | None:
    """How many are free where the database is; None where that can't be told."""
    try:
        return shutil.disk_usage(settings.database.absolute().parent).free
    except OSError:
        return None


def _of_the_disk(settings: Settings) -> Iterator[Fault]:
    free = free_bytes(settings)
    if free is not None and free < settings.backup_least_free:
        yield Fault(
            Wrong.DISK_LOW,
            f"{free / 1e9:.1f} GB are free where the database is, fewer than "
            f"{settings.backup_least_free / 1e9:.1f}: backups will fail, and then the desk.",
            f"Make room on the disk of {settings.database.absolute().parent}: `du -xh` says what "
            "is large.",
        )


def _of_backup(
    state: State, kind: Kind, address: str, now: datetime, led_since: datetime | None
) -> Iterator[Fault]:
    backup = state.of(kind, address)
    if backup.failed and backup.failing_since and now - backup.failing_since >= LASTS:
        yield Fault(
            Wrong.FAILED,
            f"The backup of {kind} fails since {_at(backup.failing_since)}: {backup.failed}",
            _NOW.format(kind=kind),
        )
        return
    since = backup.made.at if backup.made else state.since
    if since is None:
        return
    if PLANS[kind].by_leader and led_since is not None:
        since = max(since, led_since)
    if now - since > TURNS * PLANS[kind].every:
        newest = f"is of {_at(backup.made.at)}" if backup.made else "was never made"
        yield Fault(Wrong.MISSING, f"The newest backup of {kind} at {address} {newest}.", _START)


def _of_nights(settings: Settings, state: State, now: datetime) -> Iterator[Fault]:
    ours = (*settings.repositories, copies(settings).address)
    nights: dict[str, Drill] = {
        **{f"The drill of {name}": drill for name, drill in state.drills.items()},
        **{f"Looking after {one}": state.kept[one] for one in ours if one in state.kept},
    }
    for name, drill in nights.items():
        if drill.failed:
            yield Fault(
                Wrong.DRILL_FAILED, f"{name} failed on {_at(drill.at)}: {drill.failed}", _AGAIN
            )
    last = last_drill(state)
    since = last.at if last else state.since
    if settings.backup_keeps and since is not None and now - since > DRILL_AGE:
        yield Fault(
            Wrong.DRILL_MISSING, f"No drill has tried the backups since {_at(since)}.", _START
        )


def last_drill(state: State) -> Drill | None:
    """The last one of whatever kind."""
    return max(state.drills.values(), key=lambda drill: drill.at, default=None)


def _at(moment: datetime) -> str:
    return f"{moment.astimezone():%d %b %H:%M}"


_NOW: Final = "When that is mended: `portiere backup now {kind}`. docs/backup.md says more."
_START: Final = (
    "See that launchd or systemd starts `portiere backup run` every five minutes: docs/backup.md. "
    "By hand: `portiere backup run`."
)
_AGAIN: Final = (
    "When that is mended: `portiere backup drill`. Which backup is good: `portiere backup list`."
)

"""What is kept, and for how long: the machine with PORTIERE_BACKUP_KEEPS forgets what is too old.

Only after the repository was found sound, so that nothing is deleted from one that may have nothing
else; and the newest of each, and what a drill has found good, is never too old.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from app.backup.due import is_due_nightly
from app.backup.kinds import PLANS
from app.backup.restic import (
    GOOD,
    BackupError,
    Repository,
    Snapshot,
    check,
    forget,
    prune,
    repositories,
    snapshots,
    tag,
)
from app.backup.state import Drill, State, read_state, write_state
from app.settings import Settings

log = structlog.get_logger()
_AGAIN: Final = timedelta(hours=1)
# A file that has been empty for longer isn't being written.
_WRITING: Final = timedelta(minutes=10)
_SMALL: Final = ("index", "snapshots", "locks")
# Of all data that part is read at each check, another every day: all within a week.
_PARTS: Final = 7


def keep_due(settings: Settings, now: datetime) -> None:
    """Keep each repository that wasn't kept since the night, and note what came of it.

    The caller holds the backup's lock.
    """
    if not settings.backup_keeps:
        return
    for repo in repositories(settings):
        remove_unwritten(repo, now)
        if is_due(read_state(settings.backup_directory), repo, now):
            note(settings, repo, keep(repo, now))


def is_due(state: State, repo: Repository, now: datetime) -> bool:
    """Whether a repository has to be kept again: since the night, or an hour after it failed."""
    last = state.kept.get(repo.address)
    if is_due_nightly(last, now):
        return True
    return last is not None and last.failed is not None and now - last.at >= _AGAIN


def note(settings: Settings, repo: Repository, found: Drill) -> None:
    """Have it in the state what came of keeping a repository."""
    state = read_state(settings.backup_directory)
    kept = {**state.kept, repo.address: found}
    write_state(settings.backup_directory, state.model_copy(update={"kept": kept}))


def keep(repo: Repository, now: datetime) -> Drill:
    """Check a repository, forget what is too old in it, and delete what nothing has any more."""
    try:
        check(repo, _part_of(now))
        forgotten = forget_old(repo)
        prune(repo)
        left = snapshots(repo)
    except BackupError as error:
        return Drill(at=now, failed=str(error))
    newest = max((one.at for one in left), default=None)
    found = f"{len(left)} snapshots, {forgotten} forgotten; read {_part_of(now)} of the data"
    return Drill(at=now, made_at=newest, found=found)


def forget_old(repo: Repository) -> int:
    """Forget what :data:`PLANS` keeps no longer; how many. Raises :class:`BackupError`.

    Restic takes none for the newest that says it is from a time to come, so that nobody who can add
    to the repository can make the others old.
    """
    # The desk has one database and one queue, whoever leads; the rest each machine has for itself.
    return sum(
        forget(repo, kind, keep=plan.keep, by_host=not plan.by_leader)
        for kind, plan in PLANS.items()
    )


def remove_unwritten(repo: Repository, now: datetime) -> None:
    """Delete empty files of a repository on this machine, in which restic knows none.

    Rclone leaves one where it finds the disk full, and isn't let write it again. With an empty
    index or snapshot nothing can be backed up any more.
    """
    here = Path(repo.address)
    for found in (path for name in _SMALL for path in (here / name).glob("*")):
        # Another may delete it, or a person see to it.
        with suppress(OSError):
            told = found.stat()
            if told.st_size == 0 and now.timestamp() - told.st_mtime > _WRITING.total_seconds():
                found.unlink()
                log.warning("empty_file_deleted", repository=repo.address, file=found.name)


def unmark(repo: Repository, no_longer: Iterable[Snapshot]) -> None:
    """Take :data:`GOOD` from those that needn't be kept for that any more. Raises BackupError."""
    for one in no_longer:
        if GOOD in one.tags:
            tag(repo, one, remove=[GOOD])


def _part_of(now: datetime) -> str:
    return f"{now.toordinal() % _PARTS + 1}/{_PARTS}"

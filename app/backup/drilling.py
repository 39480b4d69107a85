"""The nightly drill: the newest backups are restored beside what is real, to see that they can be.

Of each repository the newest snapshot of each kind, and Litestream's copy. What is good is tagged
so and never forgotten; nothing of what was restored stays on the disk.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from app.backup import restic
from app.backup.keeping import unmark
from app.backup.kinds import PLANS, Kind
from app.backup.proving import (
    FewerRowsError,
    UnprovedError,
    prove,
    prove_database,
    written_until,
)
from app.backup.restic import GOOD, BackupError, MissingError, Repository, Snapshot
from app.backup.state import Drill, State, read_state, write_state
from app.settings import Settings

log = structlog.get_logger()
# Puts the newest that was replicated into a file, and says whether there is any; raises
# ReplicaError.
Replica = Callable[[Path], bool]
# What a drill is of, besides the kinds.
LITESTREAM: Final = "litestream"
REPOSITORIES: Final = "repositories"
_BESIDE: Final = "drill-"
# All data of a repository are read once a week.
_DAYS: Final = 7
_DAY: Final = timedelta(days=1)


class ReplicaError(Exception):
    """What was replicated can't be restored; the message says what to do."""


@dataclass(frozen=True)
class _Tried:
    """One thing that was tried; ``name``: as in the state. ``failed``: why it is not good.

    ``counts``: what the next one is compared with; None: what this one was.
    """

    name: str
    where: str
    made_at: datetime | None = None
    found: str = ""
    counts: Mapping[str, int] | None = None
    failed: str | None = None


def drill(settings: Settings, replica: Replica | None = None) -> Mapping[str, Drill]:
    """Try all that is to be had, and note what came of it: by kind, and of :data:`LITESTREAM` and
    :data:`REPOSITORIES`.

    The caller has the lock (`app.backup.locking`). Never raises for what fails: that is noted, with
    its remedy.
    """
    directory = settings.backup_directory
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in directory.glob(f"{_BESIDE}*"):
        shutil.rmtree(left, ignore_errors=True)
    before = read_state(directory)
    tried = [
        *_of_repositories(settings, before),
        *_of_replica(settings, before, replica),
    ]
    drills = dict(_summed(tried, before, datetime.now(UTC)))
    for name, one in drills.items():
        tell = log.error if one.failed else log.info
        tell("drilled", of=name, failed=one.failed, found=one.found)
    known = read_state(directory)
    write_state(directory, known.model_copy(update={"drills": {**known.drills, **drills}}))
    return drills


def _of_repositories(settings: Settings, before: State) -> Iterator[_Tried]:
    for repository in restic.repositories(settings):
        # What was there must be there again; what never was may come yet.
        wanted = {kind for kind in Kind if kind in before.drills}
        try:
            found = restic.snapshots(repository)
        except BackupError as error:
            if isinstance(error, MissingError) and not (wanted or before.backups):
                continue
            for kind in wanted or {Kind.SQLITE}:
                yield _Tried(kind.value, repository.address, failed=str(error))
            continue
        newest = _newest(found)
        for kind in wanted - {snapshot.kind for snapshot in newest}:
            why = f"{repository.address} has no snapshot of it. Run `portiere backup now {kind}`"
            yield _Tried(kind.value, repository.address, failed=why)
        for snapshot in newest:
            yield _of_snapshot(settings, before, repository, snapshot, found)
        if found and not _was_read(before, repository):
            yield _of_packs(repository)


def _newest(found: Iterable[Snapshot]) -> list[Snapshot]:
    """The newest of each kind; of what each machine has of its own, that of each."""
    newest = {_series(snapshot): snapshot for snapshot in found}  # the oldest come first
    return list(newest.values())


def _series(snapshot: Snapshot) -> tuple[Kind, str]:
    return snapshot.kind, "" if PLANS[snapshot.kind].by_leader else snapshot.host


def _of_snapshot(
    settings: Settings,
    before: State,
    repository: Repository,
    snapshot: Snapshot,
    found: Iterable[Snapshot],
) -> _Tried:
    name, where = snapshot.kind.value, f"{repository.address} {snapshot.id[:8]}"
    try:
        with _beside(settings, snapshot.size or 0) as directory:
            restic.restore(repository, snapshot.id, directory)
            proved = prove(settings, snapshot.kind, directory, _counted(before, name))
        _mark(repository, snapshot, found)
    except (BackupError, UnprovedError, OSError) as error:
        return _failed(name, where, snapshot.at, error)
    return _Tried(name, where, snapshot.at, proved.found, proved.counts)


def _was_read(before: State, repository: Repository) -> bool:
    """Whether that was done for today, and well (`app.backup.keeping`)."""
    kept = before.kept.get(repository.address)
    return kept is not None and kept.failed is None and datetime.now(UTC) - kept.at < _DAY


def _of_packs(repository: Repository) -> _Tried:
    """What is stored, read as it is: a part each night, all of it in a week."""
    part = f"{datetime.now(UTC).isoweekday()}/{_DAYS}"
    try:
        restic.check(repository, part)
    except BackupError as error:
        return _failed(REPOSITORIES, repository.address, None, error)
    return _Tried(REPOSITORIES, repository.address, found=f"part {part} is whole")


def _of_replica(settings: Settings, before: State, replica: Replica | None) -> Iterator[_Tried]:
    if replica is None:
        return
    made_at = None
    try:
        with _beside(settings, 0) as directory:
            path = directory / "replicated.db"
            if not replica(path):
                return
            proved = prove_database(settings, path, _counted(before, LITESTREAM))
            made_at = written_until(path)
    except (ReplicaError, UnprovedError, OSError) as error:
        yield _failed(LITESTREAM, "", made_at, error)
    else:
        yield _Tried(LITESTREAM, "", made_at, proved.found, proved.counts)


def _failed(name: str, where: str, made_at: datetime | None, error: Exception) -> _Tried:
    """One that is not good. Rows that are missing are told once: they may be meant to be."""
    counts = error.counts if isinstance(error, FewerRowsError) else None
    return _Tried(name, where, made_at, counts=counts, failed=str(error))


def _counted(before: State, name: str) -> Mapping[str, int]:
    return before.drills[name].counts if name in before.drills else {}


@contextmanager
def _beside(settings: Settings, size: int) -> Iterator[Path]:
    """A directory to restore to; gone afterwards, with all guests' data in it.

    Raises :class:`UnprovedError` where that would fill the disk that the desk itself needs.
    """
    directory = settings.backup_directory
    free = shutil.disk_usage(directory).free
    if free - size < settings.backup_least_free:
        raise UnprovedError(
            f"not tried: {free / 1e9:.1f} GB are free in {directory}, and "
            f"{settings.backup_least_free / 1e9:.1f} must stay so. Make room: `du -xh` says what "
            "is large"
        )
    with tempfile.TemporaryDirectory(prefix=_BESIDE, dir=directory) as made:
        yield Path(made)


def _mark(repository: Repository, snapshot: Snapshot, found: Iterable[Snapshot]) -> None:
    """Tag it as good, and then no longer the one before.

    It is good also where that can't be done: the newest of a kind isn't forgotten in any case.
    """
    others = (one for one in found if one.id != snapshot.id)
    try:
        if GOOD not in snapshot.tags:
            restic.tag(repository, snapshot, add=[GOOD])
        unmark(repository, [one for one in others if _series(one) == _series(snapshot)])
    except BackupError as error:
        log.warning("not_tagged", snapshot=snapshot.id, reason=str(error))


def _summed(tried: Iterable[_Tried], before: State, now: datetime) -> Iterator[tuple[str, Drill]]:
    """One drill of each name: good if all of it is, and as old as the oldest of it."""
    of_name: dict[str, list[_Tried]] = {}
    for one in tried:
        of_name.setdefault(one.name, []).append(one)
    for name, those in of_name.items():
        failed = [_told(one, one.failed) for one in those if one.failed]
        found = [_told(one, one.found) for one in those if one.found]
        made = [one.made_at for one in those if one.made_at]
        counted = (one.counts for one in those if one.counts is not None)
        counts = next(counted, _counted(before, name))
        yield (
            name,
            Drill(
                at=now,
                made_at=min(made, default=None),
                failed="; ".join(failed) or None,
                found="; ".join(found),
                counts=dict(counts),
            ),
        )


def _told(one: _Tried, text: str) -> str:
    """Where it was, unless the text says so by itself."""
    address = one.where.partition(" ")[0]
    return text if not one.where or address in text else f"{one.where}: {text}"

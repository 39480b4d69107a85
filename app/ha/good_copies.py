"""The newest copy of the leader's database that is good, wherever it is."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Final

import structlog

from app.backup import restic
from app.backup.kinds import Kind
from app.backup.manifest import check_manifest
from app.backup.restic import Repository, Snapshot
from app.backup.soundness import SoundnessError, check_database
from app.backup.staging import DATABASE
from app.ha.comparing import differing_pages
from app.ha.looking import Seen
from app.ha.machine import Machine
from app.ha.replicating import SyncError
from app.ha.restoring import RestoreError, restore
from app.messages.leading import last_beat
from app.store.database import open_copy

_LAST_SYNC: Final = timedelta(seconds=10)
log = structlog.get_logger()


class Source(StrEnum):
    """Where it came from."""

    REPLICA = "replica"
    BACKUP = "backup"


@dataclass(frozen=True)
class Good:
    """A sound database. ``at``: when its newest beat was (aware). ``is_whole``: whether it has all
    that was written, as nothing is written any more."""

    path: Path
    source: Source
    at: datetime | None
    is_whole: bool = False


def newest_good(machine: Machine, term: int, seen: Seen) -> Good | None:
    """The newest of all; None: there is none, or none can be reached.

    ``term``: the damaged file's; ``seen``: what was found in it. Nobody writes any more. The path
    is in this file system, and may be moved away.
    """
    directory = machine.directory / "recovering"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True)
    # One after the other: no older one is fetched once one is good.
    found = chain(_replicated(machine, term, seen, directory), _backed_up(machine, directory))
    return next(found, None)


def _replicated(machine: Machine, term: int, seen: Seen, directory: Path) -> Iterator[Good]:
    """What was replicated up to now; else, up to the look that found the damage, or before it."""
    if seen.before is not None:
        if _is_sound(machine, seen.before):
            yield Good(seen.before, Source.REPLICA, _beat_at(seen.before))
        return
    is_whole = _is_replicated(machine)
    newest = directory / "replicated.db"
    try:
        restore(machine.settings, term, newest)
    except RestoreError as error:
        log.warning("no_replicated_copy", reason=str(error))
    else:
        if _is_sound(machine, newest) and not _has_damage_of(seen, newest):
            yield Good(newest, Source.REPLICA, _beat_at(newest), is_whole)
    if seen.replicated is not None and _is_sound(machine, seen.replicated):
        yield Good(seen.replicated, Source.REPLICA, _beat_at(seen.replicated))


def _is_replicated(machine: Machine) -> bool:
    try:
        synced = machine.replicating.sync(_LAST_SYNC)
    except SyncError as error:
        log.warning("not_synced", reason=str(error))
        return False
    if not synced.is_whole:
        log.warning("not_synced", txid=synced.txid, replica_txid=synced.replica_txid)
    return synced.is_whole


def _has_damage_of(seen: Seen, newest: Path) -> bool:
    """Whether a page that was damaged was written since, and the damage with it."""
    if seen.replicated is None:
        return False
    return not set(seen.pages).isdisjoint(differing_pages(newest, seen.replicated))


def _backed_up(machine: Machine, directory: Path) -> Iterator[Good]:
    """The backups, the newest first, one after the other."""
    for repository, snapshot in _snapshots(machine):
        to = directory / snapshot.id
        try:
            restic.restore(repository, snapshot.id, to)
            check_manifest(to)
        except (restic.BackupError, SoundnessError) as error:
            log.warning("no_backup", snapshot=snapshot.id, reason=str(error))
            continue
        if _is_sound(machine, to / DATABASE):
            yield Good(to / DATABASE, Source.BACKUP, snapshot.at)
        shutil.rmtree(to, ignore_errors=True)


def _snapshots(machine: Machine) -> list[tuple[Repository, Snapshot]]:
    found = []
    for repository in restic.repositories(machine.settings):
        try:
            listed = restic.snapshots(repository, kind=Kind.SQLITE)
        except restic.BackupError as error:
            log.warning("no_backups", repository=repository.address, reason=str(error))
            continue
        found += [(repository, snapshot) for snapshot in listed]
    return sorted(found, key=lambda one: one[1].at, reverse=True)


def _is_sound(machine: Machine, path: Path) -> bool:
    try:
        check_database(path, machine.settings)
    except SoundnessError as error:
        log.warning("no_good_copy", path=str(path), reason=str(error))
        return False
    return True


def _beat_at(path: Path) -> datetime | None:
    with closing(open_copy(path)) as connection:
        beat = last_beat(connection)
    return beat.beat_at if beat else None

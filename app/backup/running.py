"""What is due is backed up, and what became of it is noted.

Started every five minutes, on both machines: what was missed while the machine slept, was off or
couldn't reach a repository is due still, and done at the next start. Who calls a function here has
the lock (`app.backup.locking`).
"""

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from app.backup import restic
from app.backup.copying import copy_due
from app.backup.drilling import Replica, drill
from app.backup.due import due, is_due_nightly, leads
from app.backup.faults import last_drill
from app.backup.keeping import keep_due
from app.backup.kinds import PLANS, Kind
from app.backup.noting import begin, note
from app.backup.restic import BackupError, MissingError, Repository, UnreachableError
from app.backup.staging import StagingError, stage
from app.backup.state import Drill, Made, State, read_state
from app.settings import Settings

log = structlog.get_logger()
_STAGED: Final = "staged-"
# Longer than a program that outlived a `kill -9` of ours may go on reading what was put together.
_LEFT_OVER: Final = timedelta(hours=2)


@dataclass(frozen=True)
class Attempt:
    """One kind in the repository at ``address``: the snapshot that was made, or why there is none.

    ``is_gone``: because the repository can't be reached.
    """

    kind: Kind
    address: str
    made: Made | None = None
    failed: str | None = None
    is_gone: bool = False


@dataclass(frozen=True)
class Looked:
    """What a night's look came to: ``name`` what was looked at, ``drill`` how it is."""

    name: str
    drill: Drill


def see_to_nights(settings: Settings, replica: Replica | None = None) -> list[Looked]:
    """What is due once a night: the other machine's own copied here; on the machine that keeps the
    repositories, what is too old forgotten, and a drill. None of it raises for what fails.

    ``replica``: as of `app.backup.drilling`.
    """
    now = datetime.now(UTC)
    before = read_state(settings.backup_directory)
    copy_due(settings, now)
    keep_due(settings, now)
    if settings.backup_keeps and is_due_nightly(last_drill(before), now):
        drill(settings, replica)
    after = read_state(settings.backup_directory)
    looks = (
        *((name, one, before.kept.get(name)) for name, one in after.kept.items()),
        *((name, one, before.drills.get(name)) for name, one in after.drills.items()),
    )
    return [Looked(name, one) for name, one, last in looks if one != last]


def back_up_due(settings: Settings) -> list[Attempt]:
    """Back up what is due."""
    begin(settings)
    state = read_state(settings.backup_directory)
    return back_up(settings, due(settings, state, datetime.now(UTC)))


def back_up(settings: Settings, wanted: Mapping[Kind, Sequence[str]]) -> list[Attempt]:
    """Back up each kind to the repositories at its addresses; one that fails holds no other up."""
    _remove_left_over(settings.backup_directory)
    done: list[Attempt] = []
    for kind, addresses in wanted.items():
        if PLANS[kind].by_leader and not leads(settings):
            # The lead has gone to the other machine meanwhile, and this with it.
            continue
        # To find out that one can't be reached takes minutes: once in a run.
        gone = {one.address: one for one in done if one.is_gone}
        for attempt in _back_up_one(settings, kind, addresses, gone):
            _note(settings, attempt)
            done.append(attempt)
    return done


def _back_up_one(
    settings: Settings, kind: Kind, addresses: Sequence[str], gone: Mapping[str, Attempt]
) -> list[Attempt]:
    done = [replace(gone[one], kind=kind) for one in addresses if one in gone]
    there = [one for one in addresses if one not in gone]
    if not there:
        return done
    try:
        with _staged(settings.backup_directory) as directory:
            at = stage(settings, kind, directory)
            # The cloud layer's may be the one that is there already.
            known = read_state(settings.backup_directory)
            new = [one for one in there if known.made_at(kind, one) != at]
            return [*done, *(_store(settings, kind, one, at, directory) for one in new)]
    except (StagingError, OSError) as error:
        return [*done, *(Attempt(kind, one, failed=str(error)) for one in there)]


def _store(settings: Settings, kind: Kind, address: str, at: datetime, directory: Path) -> Attempt:
    repository = restic.repository(settings, address)
    try:
        made = _store_there(settings, repository, kind, at, directory)
    except (BackupError, OSError) as error:
        is_gone = isinstance(error, UnreachableError)
        return Attempt(kind, address, failed=str(error), is_gone=is_gone)
    return Attempt(kind, address, made=Made(at=at, snapshot=made.id))


def _store_there(
    settings: Settings, repository: Repository, kind: Kind, at: datetime, directory: Path
) -> restic.Snapshot:
    """Raises :class:`BackupError`. A repository is made where this machine never had one; one that
    is gone is for a person to see."""
    try:
        return restic.back_up(repository, kind, settings.node_name, at, directory)
    except MissingError:
        if newest := _newest(read_state(settings.backup_directory), repository.address):
            raise MissingError(
                f"{repository.address} is gone: there was a backup of {newest:%d %b %H:%M} UTC in "
                "it. Find out what became of it; docs/backup.md says how to begin anew"
            ) from None
    restic.initialise(repository)
    log.info("backup_repository_made", repository=repository.address)
    return restic.back_up(repository, kind, settings.node_name, at, directory)


def _newest(state: State, address: str) -> datetime | None:
    """When the data of the newest snapshot there are from."""
    found = (of_kind.get(address) for of_kind in state.backups.values())
    return max((one.made.at for one in found if one and one.made), default=None)


def _note(settings: Settings, attempt: Attempt) -> None:
    kind, address, now = attempt.kind, attempt.address, datetime.now(UTC)
    if attempt.made is not None:
        made = attempt.made
        log.info("backed_up", kind=kind, repository=address, snapshot=made.snapshot)
        note(settings, lambda state: state.with_made(kind, address, made))
    else:
        why = attempt.failed or ""
        log.error("backup_failed", kind=kind, repository=address, reason=why)
        note(settings, lambda state: state.with_failed(kind, address, why, now))


@contextmanager
def _staged(directory: Path) -> Iterator[Path]:
    """A directory to put a snapshot together in; gone afterwards, with all guests' data in it."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=_STAGED, dir=directory))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _remove_left_over(directory: Path) -> None:
    """What was put together by a run that was killed."""
    for left in directory.glob(f"{_STAGED}*"):
        if time.time() - left.stat().st_mtime > _LEFT_OVER.total_seconds():
            shutil.rmtree(left, ignore_errors=True)

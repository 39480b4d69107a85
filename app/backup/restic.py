"""Snapshots in restic's repositories: made, listed, restored, copied, forgotten.

A snapshot's host is the node's name, its tag the :class:`Kind`, its time that of its data.
"""

import json
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter

from app.backup.errors import (
    BackupError,
    DamagedError,
    LockedError,
    MissingError,
    NoSpaceError,
    RefusedError,
    UnreachableError,
    WrongKeyError,
)
from app.backup.kinds import Kind
from app.backup.program import Repository, run
from app.settings import Settings

__all__ = [
    "GOOD",
    "BackupError",
    "DamagedError",
    "LockedError",
    "MissingError",
    "NoSpaceError",
    "RefusedError",
    "Repository",
    "Snapshot",
    "UnreachableError",
    "WrongKeyError",
    "back_up",
    "check",
    "copy",
    "drop",
    "exists",
    "forget",
    "initialise",
    "prune",
    "repositories",
    "repository",
    "restore",
    "snapshots",
    "tag",
]

# The tag of a snapshot that was restored and found good; such ones are not forgotten.
GOOD: Final = "good"
# More than any of these takes; what doesn't end by itself has to end.
_QUICK: Final = timedelta(minutes=5)
_LONG: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Snapshot:
    """``at``: when its data are from. ``size``: bytes restored, where restic (0.17) knows it.

    ``original``: its id before it was tagged or copied, which makes it another; else ``id``.
    """

    id: str
    kind: Kind
    at: datetime
    host: str
    size: int | None
    tags: tuple[str, ...]
    original: str

    def is_called(self, name: str) -> bool:
        """Whether ``name`` is its id, or the beginning of it, of eight characters or more."""
        return len(name) >= 8 and (self.id.startswith(name) or self.original.startswith(name))


class _Summary(BaseModel):
    model_config = ConfigDict(extra="ignore")

    total_bytes_processed: int


class _Found(BaseModel):
    """A snapshot as ``restic snapshots --json`` has it."""

    model_config = ConfigDict(extra="ignore")

    id: str
    time: AwareDatetime
    hostname: str = ""
    tags: list[str] = []
    original: str | None = None
    summary: _Summary | None = None


class _Forgotten(BaseModel):
    """What became of one host's, as ``restic forget --json`` has it."""

    model_config = ConfigDict(extra="ignore")

    remove: list[_Found] | None = None


_FOUND: Final = TypeAdapter(list[_Found] | None)
_FORGOTTEN: Final = TypeAdapter(list[_Forgotten] | None)


def repositories(settings: Settings) -> tuple[Repository, ...]:
    """All that every backup goes to, the first first."""
    return tuple(repository(settings, address) for address in settings.repositories)


def repository(settings: Settings, address: str) -> Repository:
    """One by its address, also one that isn't in the settings."""
    return Repository(
        address,
        settings.backup_key,
        settings.backup_directory,
        settings.backup_ssh,
        settings.backup_s3_key_id,
        settings.backup_s3_secret,
        settings.backup_s3_region,
    )


def initialise(repo: Repository, *, like: Repository | None = None) -> None:
    """Make a repository where there is none.

    ``like``: of another whose snapshots will be copied to it, so that both cut files alike.
    In a directory that a group may write to it is that group's, too. Raises :class:`BackupError`,
    also where there is one.
    """
    alike = ["--from-repo", like.address, "--copy-chunker-params"] if like else []
    run(repo, ["init", *alike], within=_QUICK, source=like)
    here = Path(repo.address)
    if here.is_dir() and here.stat().st_mode & stat.S_IWGRP:
        _share(here)


def exists(repo: Repository) -> bool:
    """Whether there is a repository that our key opens.

    Raises :class:`BackupError` where that can't be told, or the key is another's.
    """
    try:
        run(repo, ["--no-lock", "cat", "config"], within=_QUICK)
    except MissingError:
        return False
    return True


def back_up(repo: Repository, kind: Kind, host: str, at: datetime, directory: Path) -> Snapshot:
    """Store what is in ``directory``, as of ``at``; names are relative to it.

    Raises :class:`BackupError`, also where a part of it could not be read.
    """
    when = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    named = ["--host", host, "--tag", kind.value, "--time", when]
    out = run(repo, ["backup", *named, "."], within=_LONG, cwd=directory)
    made = _summary(out)["snapshot_id"]
    # 0.14 tells the beginning of the id alone.
    return _one(repo, made)


def snapshots(
    repo: Repository, *, kind: Kind | None = None, host: str | None = None
) -> list[Snapshot]:
    """Those of a kind and of a host, oldest first; of what isn't ours, none.

    Raises :class:`BackupError`.
    """
    only = [*(("--tag", kind.value) if kind else ()), *(("--host", host) if host else ())]
    # Who looks what there is, waits for nobody who has it locked.
    return _listed(run(repo, ["--no-lock", "snapshots", *only], within=_QUICK))


def restore(repo: Repository, snapshot_id: str, to: Path) -> None:
    """Put what is in a snapshot into the directory ``to``. Raises :class:`BackupError`."""
    run(repo, ["restore", snapshot_id, "--target", str(to)], within=_LONG)


def tag(
    repo: Repository, snapshot: Snapshot, *, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> Snapshot:
    """Change its tags: the snapshot is another then, with another id. Raises BackupError."""
    changes = [*_each("--add", add), *_each("--remove", remove)]
    run(repo, ["tag", *changes, snapshot.id], within=_QUICK)
    found = snapshots(repo, kind=snapshot.kind, host=snapshot.host)
    tagged = [one for one in found if one.original == snapshot.original]
    if not tagged:
        raise _no_such(repo, snapshot.id)
    return tagged[-1]


def forget(
    repo: Repository, kind: Kind, *, keep: timedelta, by_host: bool, also: Sequence[str] = (GOOD,)
) -> int:
    """Forget those that are ``keep`` older than the newest of the kind, or of the kind and host.

    So the newest is always kept, however old; and whatever has a tag of ``also``. Tells how many
    it forgot; their data stay until :func:`prune`. Raises :class:`BackupError`.
    """
    hours = int(keep / timedelta(hours=1))
    rule = ["--tag", kind.value, "--keep-within", f"{hours}h", *_each("--keep-tag", also)]
    out = run(repo, ["forget", *rule, "--group-by", "host" if by_host else ""], within=_LONG)
    return sum(len(group.remove or ()) for group in _FORGOTTEN.validate_json(out or "[]") or ())


def drop(repo: Repository, those: Sequence[Snapshot]) -> None:
    """Forget just these, whatever they are. Raises :class:`BackupError`."""
    if those:
        run(repo, ["forget", *(one.id for one in those)], within=_LONG)


def prune(repo: Repository) -> None:
    """Delete what no snapshot has any more. Raises :class:`BackupError`."""
    run(repo, ["prune"], within=_LONG)


def check(repo: Repository, subset: str | None = None) -> None:
    """See that all that snapshots refer to is there.

    ``subset``: which data to read, too, as of restic's ``--read-data-subset``: ``1/7``, ``5%``.
    Raises :class:`DamagedError` and other :class:`BackupError`.
    """
    read = [f"--read-data-subset={subset}"] if subset else []
    run(repo, ["check", *read], within=_LONG)


def copy(repo: Repository, to: Repository, *, host: str, kinds: Iterable[Kind]) -> None:
    """Copy a host's snapshots of ``kinds`` that ``to`` doesn't have. Raises BackupError."""
    which = ["--host", host, *_each("--tag", [kind.value for kind in kinds])]
    run(to, ["copy", "--from-repo", repo.address, *which], within=_LONG, source=repo)


def _share(directory: Path) -> None:
    """Restic keeps it so: what it writes is the group's where `config` is."""
    for found in directory.rglob("*"):
        may = stat.S_IRGRP if found.is_file() else stat.S_IRWXG
        found.chmod(stat.S_IMODE(found.stat().st_mode) | may)


def _each(option: str, values: Iterable[str]) -> list[str]:
    return [part for value in values for part in (option, value)]


def _one(repo: Repository, snapshot_id: str) -> Snapshot:
    found = _listed(run(repo, ["snapshots", snapshot_id], within=_QUICK))
    if len(found) != 1:
        raise _no_such(repo, snapshot_id)
    return found[0]


def _no_such(repo: Repository, snapshot_id: str) -> MissingError:
    return MissingError(
        f"{repo.address} has no snapshot {snapshot_id}: portiere backup list tells which it has"
    )


def _listed(out: str) -> list[Snapshot]:
    found = [_ours(one) for one in _FOUND.validate_json(out) or ()]
    return sorted((one for one in found if one is not None), key=lambda one: one.at)


def _ours(found: _Found) -> Snapshot | None:
    kind = next((Kind(one) for one in found.tags if one in set(Kind)), None)
    if kind is None:
        return None
    size = found.summary.total_bytes_processed if found.summary else None
    original = found.original or found.id
    return Snapshot(found.id, kind, found.time, found.hostname, size, tuple(found.tags), original)


def _summary(out: str) -> dict[str, Any]:
    """The last message of a backup."""
    said: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines() if line.strip()]
    return next(one for one in reversed(said) if one.get("message_type") == "summary")

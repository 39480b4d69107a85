"""What a snapshot is of, put together in a directory: whole, checked, of one moment.

Each function fills a directory that is there and empty, and returns when its data are from.
"""

import errno
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.backup.kinds import Kind
from app.backup.manifest import write_manifest
from app.backup.redis_fetching import RedisFetchError, fetch_rdb
from app.settings import Settings
from app.store.database import DatabaseError, open_copy
from app.store.users import using

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3

# Of the files that are put together: a restore looks for them by these names.
DATABASE: Final = "portiere.db"
RDB: Final = "dump.rdb"
CLOUD: Final = "cloud-snapshot"
_SQLITE: Final = b"SQLite format 3\0"
_POSTGRES: Final = b"PGDMP"
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
# Beside the copy itself: what SQLite writes while it is checked, and the filesystem's own.
_SPARE: Final = 1_000_000


class StagingError(Exception):
    """It can't be put together; the message says what to do. What it is of is untouched."""


def has(settings: Settings, kind: Kind) -> bool:
    """Whether this machine has something of that kind at all, by its settings."""
    match kind:
        case Kind.SQLITE | Kind.REDIS:
            return True
        case Kind.LOGS:
            return settings.log_dir is not None
        case Kind.CONFIGURATION:
            return bool(_paths(settings))
        case Kind.CLOUD:
            return settings.backup_cloud_snapshot is not None


def stage(settings: Settings, kind: Kind, to: Path) -> datetime:
    """Fill ``to``, which is empty. Raises :class:`StagingError`."""
    try:
        at = _WAYS[kind](settings, to)
        # Logs grow while they are read: nothing can be said of them beforehand.
        if kind is not Kind.LOGS:
            write_manifest(to)
        return at
    except OSError as error:
        if error.errno in _FULL:
            raise _no_room(to) from error
        raise StagingError(
            f"{kind} can't be put together: {error}. Let Portiere's user read it, and write to {to}"
        ) from error


def _sqlite(settings: Settings, to: Path) -> datetime:
    """A copy of one moment, made by SQLite while the desk goes on writing, and checked."""
    database = settings.database.absolute()
    if not database.exists():
        raise StagingError(
            f"{database} isn't there: this machine doesn't lead, or has yet to. "
            "`portiere ha status` says who does"
        )
    _see_room(to, database)
    copy = to / DATABASE
    # Before its first page is read: nothing of before it is missing.
    at = datetime.now(UTC)
    try:
        with (
            using(database),
            closing(open_copy(database)) as source,
            closing(sqlite3.connect(copy, isolation_level=None)) as target,
        ):
            source.backup(target)
            # One file, without a log beside it.
            target.execute("PRAGMA journal_mode = DELETE")
        _check_sqlite(copy, f"the copy of {database}", _CORRUPT)
    except DatabaseError as error:
        raise _of_sqlite(error, database, to) from error
    copy.chmod(0o600)
    return at


def _redis(settings: Settings, to: Path) -> datetime:
    at = datetime.now(UTC)
    try:
        fetch_rdb(settings, to / RDB)
    except RedisFetchError as error:
        raise StagingError(str(error)) from error
    return at


def _logs(settings: Settings, to: Path) -> datetime:
    """All files of the directory of logs that are ours to read, which the private link's, of root,
    is not; links to them, so that one that is rotated meanwhile is kept as well."""
    directory = settings.log_dir
    if directory is None or not directory.is_dir():
        raise StagingError(f"{directory} isn't there: is PORTIERE_LOG_DIR right?")
    at = datetime.now(UTC)
    for path in sorted(directory.iterdir()):
        if path.is_file() and not path.is_symlink() and os.access(path, os.R_OK):
            _link(path, to / path.name)
    return at


def _configuration(settings: Settings, to: Path) -> datetime:
    """Copies of all that is named, by their absolute paths."""
    at = datetime.now(UTC)
    for path in _paths(settings):
        copy = to / path.absolute().relative_to("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            _copy_tree(path, copy)
        elif path.is_file():
            shutil.copy2(path, copy)
        else:
            raise StagingError(
                f"{path} isn't there: is PORTIERE_BACKUP_CONFIGURATION right, and may Portiere's "
                "user read it?"
            )
    return at


def _cloud(settings: Settings, to: Path) -> datetime:
    """What `portiere cloud snapshot` left, which is from when it was written."""
    path = settings.backup_cloud_snapshot
    if path is None or not path.is_file():
        raise StagingError(
            f"the cloud layer has left no snapshot at {path}: run "
            f"`portiere cloud snapshot --to {path}` where the cloud layer runs"
        )
    copy = to / CLOUD
    # A newer one takes its place by a new name; this one is kept whole.
    _link(path, copy)
    with copy.open("rb") as file:
        head = file.read(len(_SQLITE))
    if head == _SQLITE:
        try:
            _check_sqlite(copy, str(path), _MAKE_ANEW)
        except DatabaseError as error:
            raise StagingError(f"{path} can't be checked: {error}. {_MAKE_ANEW}") from error
    elif not head.startswith(_POSTGRES):
        raise StagingError(f"{path} is no snapshot of a store. {_MAKE_ANEW}")
    return datetime.fromtimestamp(copy.stat().st_mtime, UTC)


_WAYS: Final[Mapping[Kind, Callable[[Settings, Path], datetime]]] = {
    Kind.SQLITE: _sqlite,
    Kind.REDIS: _redis,
    Kind.LOGS: _logs,
    Kind.CONFIGURATION: _configuration,
    Kind.CLOUD: _cloud,
}
_CORRUPT: Final = (
    "The desk's database itself is corrupt: nothing was backed up, older backups are kept. "
    "docs/restore.md says what to do"
)
_MAKE_ANEW: Final = "Make it anew with `portiere cloud snapshot`"


def _check_sqlite(path: Path, what: str, remedy: str) -> None:
    """``PRAGMA quick_check``; raises DatabaseError where even that can't be asked."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise StagingError(f"{what} is corrupt ({verdict}). {remedy}")


def _of_sqlite(error: Exception, database: Path, to: Path) -> StagingError:
    # By its words: the code is missing where a copy fails.
    words = str(error)
    if "is full" in words:
        return _no_room(to)
    if "malformed" in words or "not a database" in words:
        return StagingError(f"{database} can't be copied: {error}. {_CORRUPT}")
    return StagingError(f"{database} can't be copied: {error}. It is tried again")


def _see_room(to: Path, database: Path) -> None:
    """Before a half of it fills what the desk itself needs."""
    free, size = shutil.disk_usage(to).free, database.stat().st_size
    if free < size + _SPARE:
        raise _no_room(to, f": {size:,} bytes are to be copied, {free:,} are free")


def _no_room(to: Path, numbers: str = "") -> StagingError:
    return StagingError(f"no room in {to.parent}{numbers}. Make room on the disk of {to.parent}")


def _link(path: Path, to: Path) -> None:
    """The file at ``path`` under another name, or a copy of it; nothing if it is gone by now."""
    try:
        os.link(path, to)
    except FileNotFoundError:
        return
    except OSError:
        shutil.copy2(path, to)


def _copy_tree(path: Path, to: Path) -> None:
    """Files, directories and links, as they are; sockets and the like are none of it."""
    try:
        shutil.copytree(path, to, symlinks=True, ignore=_no_files, dirs_exist_ok=True)
    except shutil.Error as error:
        # All that went wrong, as (from, to, why).
        source, _, why = error.args[0][0]
        full = os.strerror(errno.ENOSPC) in why
        raise OSError(errno.ENOSPC if full else errno.EIO, str(why), str(source)) from error


def _no_files(directory: str, names: list[str]) -> set[str]:
    paths = {name: Path(directory, name) for name in names}
    return {
        name
        for name, path in paths.items()
        if not (path.is_symlink() or path.is_file() or path.is_dir())
    }


def _paths(settings: Settings) -> list[Path]:
    named = settings.backup_configuration.split(",")
    return [Path(one.strip()) for one in named if one.strip()]

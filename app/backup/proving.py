"""Whether what was restored from a backup is good: each kind in its own way."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import redis

from app.backup.kinds import Kind
from app.backup.manifest import MANIFEST, ManifestError, check_manifest
from app.backup.redis_serving import RdbError, Serving, serving
from app.backup.soundness import SoundnessError, check_database, table_digests
from app.backup.staging import CLOUD, DATABASE, RDB
from app.messages.leading import last_beat
from app.settings import Settings
from app.store.database import open_copy

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3

# Of each sealed column; all of a year's take minutes.
_SAMPLE: Final = 500
# Nothing is ever deleted from these: a guest who is erased is emptied there.
_GROWING: Final = ("inbox", "outbox", "bookings", "history", "terms")
# So few say nothing.
_MANY: Final = 50
_KEYS: Final = 500


class UnprovedError(Exception):
    """It is not good. Says why, and what to do."""


class FewerRowsError(UnprovedError):
    """It has far fewer rows than it had; ``counts`` are those that it has."""

    def __init__(self, message: str, counts: Mapping[str, int]) -> None:
        super().__init__(message)
        self.counts = counts


@dataclass(frozen=True)
class Proved:
    """``found``: what is in it, for a person. ``counts``: rows by table, to be compared with."""

    found: str
    counts: Mapping[str, int] = field(default_factory=dict)


def prove(settings: Settings, kind: Kind, directory: Path, before: Mapping[str, int]) -> Proved:
    """See that what was restored to ``directory`` is good; ``before``: what was counted last time.

    Raises :class:`UnprovedError`.
    """
    try:
        check_manifest(directory)
        return _WAYS[kind](settings, directory, before)
    except ManifestError as error:
        raise UnprovedError(str(error)) from error
    except OSError as error:
        raise UnprovedError(
            f"what was restored can't be read: {error}. Look at the disk"
        ) from error


def prove_database(settings: Settings, path: Path, before: Mapping[str, int]) -> Proved:
    """See that a desk's database is good. Raises :class:`UnprovedError`."""
    try:
        check_database(path, settings, sample=_SAMPLE)
        digests = table_digests(path)
    except SoundnessError as error:
        raise UnprovedError(str(error)) from error
    counts = {name: digests[name].rows for name in _GROWING if name in digests}
    lost = [
        f"{had:,} of {name}, now {counts.get(name, 0):,}"
        for name, had in before.items()
        if had >= _MANY and counts.get(name, 0) < had / 2
    ]
    if lost:
        raise FewerRowsError(
            f"it has far fewer rows than the last one that was tried: {'; '.join(lost)}. If nobody "
            "restored an older database, find out where they went, and keep an older backup",
            counts,
        )
    shown = ", ".join(f"{counts[name]:,} {name}" for name in counts)
    return Proved(f"{sum(one.rows for one in digests.values()):,} rows ({shown})", counts)


def written_until(path: Path) -> datetime | None:
    """When the data of a sound database are from; None before its first term."""
    with closing(open_copy(path)) as connection:
        beat = last_beat(connection)
    return beat.beat_at if beat else None


def _database(settings: Settings, directory: Path, before: Mapping[str, int]) -> Proved:
    return prove_database(settings, _there(directory / DATABASE), before)


def _redis(settings: Settings, directory: Path, before: Mapping[str, int]) -> Proved:
    try:
        with serving(_there(directory / RDB)) as found:
            return Proved(f"{_each_answers(found):,} keys")
    except RdbError as error:
        raise UnprovedError(str(error)) from error
    except redis.RedisError as error:
        raise UnprovedError(
            f"a Redis that has loaded it doesn't answer: {error}. Take an older backup"
        ) from error


def _each_answers(found: Serving) -> int:
    """How many keys were loaded; each is read, wholly."""
    keys = list(found.client.scan_iter(count=_KEYS))
    for start in range(0, len(keys), _KEYS):
        with found.client.pipeline(transaction=False) as pipeline:
            for key in keys[start : start + _KEYS]:
                pipeline.dump(key)
            silent = sum(value is None for value in pipeline.execute())
        # Some may have ended meanwhile, in their time.
        if silent > found.client.info("stats")["expired_keys"]:
            raise UnprovedError(f"{silent:,} keys don't answer. Take an older backup")
    return len(keys)


def _files(settings: Settings, directory: Path, before: Mapping[str, int]) -> Proved:
    files = [path for path in directory.rglob("*") if path.is_file() and path.name != MANIFEST]
    if not files:
        raise UnprovedError("there is no file in it. See what is backed up: docs/backup.md")
    return Proved(f"{len(files):,} files, {sum(path.stat().st_size for path in files):,} bytes")


def _cloud(settings: Settings, directory: Path, before: Mapping[str, int]) -> Proved:
    path = _there(directory / CLOUD)
    with path.open("rb") as file:
        if not file.read(16).startswith(b"SQLite format 3\0"):
            # One of Postgres': that it is whole, the manifest says.
            return _files(settings, directory, before)
    try:
        with closing(open_copy(path)) as connection:
            verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            tables = connection.execute(
                "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
            ).fetchone()[0]
    except sqlite3.Error as error:
        raise UnprovedError(f"the cloud layer's store can't be read: {error}. {_OLDER}") from error
    if verdict != "ok" or not tables:
        raise UnprovedError(f"the cloud layer's store is damaged ({verdict}). {_OLDER}")
    return Proved(f"{tables} tables")


def _there(path: Path) -> Path:
    if not path.is_file():
        raise UnprovedError(f"there is no {path.name} in it. {_OLDER}")
    return path


_OLDER: Final = "Take an older backup"
_Way = Callable[[Settings, Path, Mapping[str, int]], Proved]
_WAYS: Final[Mapping[Kind, _Way]] = {
    Kind.SQLITE: _database,
    Kind.REDIS: _redis,
    Kind.LOGS: _files,
    Kind.CONFIGURATION: _files,
    Kind.CLOUD: _cloud,
}

"""A point that is gone back to, fetched and checked before anything is stopped."""

import shutil
from datetime import datetime
from pathlib import Path

from app.backup import restic, soundness
from app.backup.manifest import check_manifest
from app.backup.points import Point, Saved
from app.backup.restic import BackupError
from app.backup.soundness import SoundnessError, check_database
from app.backup.staging import DATABASE, RDB
from app.durable import sync_path
from app.ha.restoring import RestoreError, UnusableError, beat_of, restore
from app.settings import Settings


class FetchError(Exception):
    """It can't be had, or is no good; the message says what to do. Nothing was changed."""


class DamagedPointError(FetchError):
    """What was kept of it is damaged: another point may be good."""


def fetch_database(settings: Settings, point: Point, to: Path) -> Path:
    """The desk's database as of ``point``, in the directory ``to``: whole, of a schema that we
    know, sealed with our keys, on the disk. Raises :class:`FetchError`.
    """
    try:
        path = to / DATABASE
        if point.saved is not None:
            _restore(settings, point.saved, to)
        elif point.term is not None:
            restore(settings, point.term, path, point.until)
        check_database(path, settings)
        # Its WAL, of which there is nothing left to play into it.
        for beside in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
            (to / beside).unlink(missing_ok=True)
        path.chmod(0o600)
        sync_path(path)
    except (UnusableError, restic.DamagedError, soundness.DamagedError) as error:
        raise DamagedPointError(str(error)) from error
    except (RestoreError, BackupError, SoundnessError, OSError) as error:
        raise FetchError(str(error)) from error
    return path


def fetch_redis(settings: Settings, point: Point, to: Path) -> Path:
    """Redis' file of a snapshot, in the directory ``to``. Raises :class:`FetchError`."""
    if point.saved is None:
        raise FetchError("the queue is in no replica: ask for a snapshot of it")
    try:
        _restore(settings, point.saved, to)
    except (BackupError, SoundnessError, OSError) as error:
        raise FetchError(str(error)) from error
    if not (to / RDB).exists():
        raise FetchError(f"snapshot {point.saved.snapshot.id[:8]} has no {RDB}: take another")
    return to / RDB


def made_at(path: Path) -> datetime | None:
    """When what a database has last was written (aware), by its own beat; None: it has none."""
    beat = beat_of(path)
    return beat.beat_at if beat else None


def _restore(settings: Settings, saved: Saved, to: Path) -> None:
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(mode=0o700, parents=True)
    restic.restore(restic.repository(settings, saved.repository), saved.snapshot.id, to)
    check_manifest(to)

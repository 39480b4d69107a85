"""A database made of what was replicated, and put where the old one was."""

import os
import shutil
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from app.durable import sync_path
from app.ha import litestream
from app.ha.pieces import PiecesError, fetch
from app.messages.leading import Beat, last_beat
from app.settings import Settings
from app.store.database import DatabaseError, log_of, open_copy
from app.store.users import wait_until_unused

# 200 MB take 5 s.
_LONGEST: Final = timedelta(minutes=30)
# Who has let go already may still be about to.
_UNUSED: Final = timedelta(seconds=2)
log = structlog.get_logger()


class RestoreError(Exception):
    """It can't be restored, or not put in place; nothing was changed. Says what to do."""


class UnusableError(RestoreError):
    """What was replicated makes no sound database."""


@dataclass(frozen=True)
class Reached:
    """A beat that a copy has had, and a transaction of at most one beat before."""

    beat: int
    txid: int


def restore(
    settings: Settings,
    term: int,
    to: Path,
    until: int | datetime | None = None,
    *,
    gently: bool = False,
) -> None:
    """Make ``to`` of all that the place has of ``term``, checked in full and synced to the disk.
    ``until``: of no more than up to that transaction, or that time (aware). ``gently``: guests are
    answered meanwhile.

    Raises :class:`RestoreError`; ``to`` is there whole or not at all.
    """
    new = to.with_name(f"{to.name}.new")
    try:
        new.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove(new)
        _run(settings, term, new, _until(until), gently=gently)
        new.chmod(0o600)
        sync_path(new)
        new.replace(to)
        sync_path(to.parent)
    except OSError as error:
        raise RestoreError(f"{to} can't be written: {error}. Make room, then try again") from error
    finally:
        _remove(new)


def restore_newest(settings: Settings, term: int, to: Path, reached: Reached | None) -> None:
    """As :func:`restore`, but never less than a copy of it has had.

    Litestream's last moments may be wrong, and go back (`app.ha.replicating`).
    """
    restore(settings, term, to)
    if reached is None:
        return
    beat = beat_of(to)
    if beat is not None and beat.beat >= reached.beat - 1:
        return
    log.warning("replica_went_back", term=term, had=reached.beat)
    restore(settings, term, to, reached.txid)


def beat_of(path: Path) -> Beat | None:
    """The newest beat of a database that nobody leads with; None: it has none."""
    try:
        with closing(open_copy(path)) as connection:
            return last_beat(connection)
    except DatabaseError:  # it may be from before there were tables
        return None


def put_in_place(new: Path, database: Path) -> None:
    """Make ``new`` the database; what was there is gone (:func:`set_aside` keeps it).

    Raises :class:`RestoreError` while a process has the database open.
    """
    _refuse_used(database)
    wal = _beside(new)[0]
    if wal.exists() and wal.stat().st_size > 0:
        raise RestoreError(f"{new} was written to and not closed: open and close it, or restore it")
    try:
        # Before the new one is there: an old WAL would be played into it.
        for beside in (*_beside(database), *_beside(new)):
            beside.unlink(missing_ok=True)
        _forget_litestream(database)
        new.replace(database)
        sync_path(database.parent)
    except OSError as error:
        raise RestoreError(f"{new} can't become {database}: {error}") from error


def set_aside(
    database: Path, directory: Path, term: int, folder: Path | None = None
) -> Path | None:
    """Move the database and what belongs to it to ``directory/aside/term-N-<time>/``, whole; or to
    ``folder``, where a move that was cut short is gone on with.

    Returns the moved database, None if there was none. Raises :class:`RestoreError` while a process
    has it open.
    """
    if not database.exists():
        return None
    _refuse_used(database)
    to = folder or directory / "aside" / f"term-{term}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    try:
        to.mkdir(mode=0o700, parents=True, exist_ok=folder is not None)
        _move(database, to)
        hidden = _hidden(database)
        if hidden.exists():
            hidden.replace(to / hidden.name)
        sync_path(database.parent)
    except OSError as error:
        raise RestoreError(f"{database} can't be moved to {to}: {error}") from error
    log.info("set_aside", term=term, to=str(to))
    return to / database.name


def put_back(aside: Path, database: Path) -> None:
    """Make what :func:`set_aside` moved the database again; what is in its place is gone.

    Nothing, where it was put back already. Raises :class:`RestoreError`.
    """
    if not aside.exists():
        return
    _refuse_used(database)
    try:
        _remove(database)
        _move(aside, database.parent)
        _forget_litestream(database)
        sync_path(database.parent)
    except OSError as error:
        raise RestoreError(f"{aside} can't be put back to {database}: {error}") from error


def usable(copy: Path) -> bool:
    """Whether the file of a follower that was ended is sound (``PRAGMA quick_check``)."""
    try:
        with closing(open_copy(copy)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except DatabaseError:
        return False


def _until(until: int | datetime | None) -> tuple[str, ...]:
    if isinstance(until, datetime):
        return "-timestamp", f"{until.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    return () if until is None else ("-txid", f"{until:016x}")


def _run(settings: Settings, term: int, new: Path, until: tuple[str, ...], *, gently: bool) -> None:
    config, pieces = (new.with_name(f"{new.name}{end}") for end in (".yml", ".pieces"))
    database = settings.database.absolute()
    by_line = False
    try:
        place = litestream.place_of(settings)
        by_line = place.host is not None
        if by_line:
            # Of these it makes what it would have made of all.
            place, until = fetch(place, term, database, until, pieces), ()
        litestream.write_config(config, litestream.config_for(place, term, database))
        told = ["restore", "-config", str(config), "-no-expand-env", "-integrity-check", "full"]
        told += [*until, "-o", str(new), str(database)]
        done = litestream.run(told, _LONGEST, gently=gently)
    except litestream.LitestreamError as error:
        raise RestoreError(str(error)) from error
    except PiecesError as error:
        raise _error(term, _words(str(error)), by_line=by_line) from error
    finally:
        config.unlink(missing_ok=True)
        shutil.rmtree(pieces, ignore_errors=True)
    if done.returncode != 0 or not new.exists():
        raise _error(term, _words(done.stderr), by_line=by_line)


def _error(term: int, words: str, *, by_line: bool) -> RestoreError:
    """What went wrong. Only what is surely in the place's own files is a reason to take another."""
    said = words.lower()
    remedy = next((found for sign, found in _REMEDIES.items() if sign in said), None)
    if remedy is None and by_line and any(sign in said for sign in _CUT):
        remedy = _TRY_AGAIN
    is_unusable = remedy == _NOTHING or (remedy is None and any(one in said for one in _DAMAGED))
    kind = UnusableError if is_unusable else RestoreError
    return kind(f"term {term} can't be restored: {words}. {remedy or _ANOTHER}")


def _words(said: str) -> str:
    """What of all that it said is the error; what an integrity check found has many lines."""
    lines = said.strip().splitlines() or ["it said nothing"]
    return next((line for line in lines if line.startswith("Error")), lines[-1])


_ANOTHER: Final = "Use the standby's copy, or a backup"
_NOTHING: Final = "The place has nothing of this term: is PORTIERE_HA_REPLICA right?"
_TRY_AGAIN: Final = "The line was cut meanwhile: try again"
# What a file says that is read to a wrong end; by SFTP, a line that was cut says the same.
_CUT: Final = ("eof", "connection", "broken pipe", "reset by peer", "closed")
_DAMAGED: Final = ("decode", "integrity", "checksum", "malformed", "not a database", "missing")
_REMEDIES: Final = {
    "no matching backup": _NOTHING,
    "no space": "Make room on the disk, then try again",
    "too large": "Make room on the disk, then try again",
    "quota exceeded": "Make room on the disk, then try again",
    "permission denied": "Let Portiere's user read the place and write here",
    "connection refused": "Start the SFTP server of the place, or the private link",
    "i/o timeout": "Start the SFTP server of the place, or the private link",
    "no route": "Start the private link",
    "unable to authenticate": "Let the server know the key of PORTIERE_HA_REPLICA_KEY",
    "host key": "The server is another than PORTIERE_HA_REPLICA_HOST_KEY says: find out why",
}


def _refuse_used(database: Path) -> None:
    if not wait_until_unused(database, _UNUSED):
        raise RestoreError(f"{database} is in use: stop the gateway and the worker, then try again")


def _move(database: Path, to: Path) -> None:
    """Move a database and its WAL to another directory."""
    files = [path for path in (database, *_beside(database)) if path.exists()]
    # Both names at first: a power cut between two moves would part the file from its WAL.
    for path in files:
        (to / path.name).unlink(missing_ok=True)
        os.link(path, to / path.name)
    sync_path(to)
    for path in files:
        path.unlink()


def _remove(path: Path) -> None:
    for one in (path, *_beside(path), path.with_name(f"{path.name}.tmp")):
        one.unlink(missing_ok=True)


def _beside(database: Path) -> tuple[Path, Path]:
    return log_of(database), database.with_name(f"{database.name}-shm")


def _hidden(database: Path) -> Path:
    """Litestream's own notes on the file: those of another file mislead it."""
    return database.with_name(f".{database.name}-litestream")


def _forget_litestream(database: Path) -> None:
    if _hidden(database).exists():
        shutil.rmtree(_hidden(database))

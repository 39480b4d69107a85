"""A look at the database that is led with: is what readers are served what was written?

Three things together: SQLite's own check, the seals of guests' data, and the comparison of each
page with what was replicated up to the very same transaction (`app.ha.comparing`). The first two
find nothing in a date of arrival; the last needs the place that is replicated to.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from app.backup.soundness import DamagedError, SoundnessError, check_database
from app.ha.comparing import differing_pages
from app.ha.comparing_rows import unexplained_row
from app.ha.replicating import Replicating, SyncError
from app.ha.restoring import RestoreError, restore
from app.settings import Settings
from app.store.damage import is_damage
from app.store.database import Connection, DatabaseError, connect, open_copy

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3

# The first may have much to send. The second has what was written meanwhile, and all who write wait
# for it: 25 ms in the median.
_CATCH_UP: Final = timedelta(seconds=10)
_HELD_UP: Final = timedelta(seconds=1)
# An image, a restored copy, and what a restore writes beside it.
_COPIES: Final = 4
_SHOWN: Final = 5
log = structlog.get_logger()


class NotLookedError(Exception):
    """It couldn't be looked at, or not compared; nothing is known of it. Says why."""


@dataclass(frozen=True)
class Before:
    """What the place had when this node began to lead with a file that lay here: all up to
    ``txid`` of ``term``, None: all there is."""

    term: int
    txid: int | None = None


@dataclass(frozen=True)
class Seen:
    """What a look found. ``damage``: what is wrong; None: nothing. ``pages``: those that differ
    from what was replicated; ``image``: what readers were served, ``replicated``: what was
    replicated by then, both of one moment, each None if it couldn't be had. ``before``: what was
    replicated before this node led, where all that came after it has the damage."""

    damage: str | None = None
    pages: tuple[int, ...] = ()
    image: Path | None = None
    replicated: Path | None = None
    before: Path | None = None


def look(
    settings: Settings, term: int, replicating: Replicating, before: Before | None = None
) -> Seen:
    """Look, once; takes as long as a restore does. Raises :class:`NotLookedError`.

    Its files stay in ``look`` in the node's directory until the next one.
    """
    directory = settings.ha_directory / "look"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True)
    _see_room(settings.database, directory)
    image = directory / "image.db"
    try:
        txid = _take(settings.database, image, replicating)
        damage = damage_of(image, settings)
    except DatabaseError as error:
        if is_damage(error):
            return Seen(f"it can't be read: {error}")
        raise NotLookedError(f"it can't be read now: {error}") from error
    except SoundnessError as error:
        raise NotLookedError(str(error)) from error
    try:
        return _compare(settings, term, txid, before, Seen(damage, image=image))
    except RestoreError as error:
        if damage is not None:
            return Seen(damage, image=image)
        raise NotLookedError(f"sound by itself, but not compared: {error}") from error


def damage_of(database: Path, settings: Settings) -> str | None:
    """What is wrong with a file by all that can be seen in it alone; None: nothing.

    Raises :class:`SoundnessError` where it is of another release, of other keys, or not to be read.
    """
    try:
        check_database(database, settings)
    except DamagedError as error:
        return str(error)
    return None


def _compare(
    settings: Settings, term: int, txid: int | None, before: Before | None, seen: Seen
) -> Seen:
    image = seen.image
    if txid is None or image is None:
        raise RestoreError("the place is not reached")
    replicated = image.with_name("replicated.db")
    restore(settings, term, replicated, txid, gently=True)
    pages = tuple(differing_pages(image, replicated))
    damage = seen.damage
    if pages:
        shown = ", ".join(map(str, pages[:_SHOWN]))
        damage = damage or f"{len(pages)} pages are not what was written (the first: {shown})"
    found = replace(seen, damage=damage, pages=pages, replicated=replicated)
    if damage is None and before is not None:
        return _since(settings, before, found, image)
    return found


def _since(settings: Settings, before: Before, seen: Seen, image: Path) -> Seen:
    """What changed while nobody led, of which no transaction knows; what is replicated since has
    it, too."""
    then = image.with_name("before.db")
    try:
        restore(settings, before.term, then, before.txid, gently=True)
    except RestoreError as error:
        log.warning("not_compared_with_before", reason=str(error))
        return seen
    damage = unexplained_row(then, image)
    return seen if damage is None else replace(seen, damage=damage, replicated=None, before=then)


def _take(database: Path, image: Path, replicating: Replicating) -> int | None:
    """Make an image of what readers are served, and say up to which transaction; None: it isn't
    known, as the place can't be reached. Raises DatabaseError."""
    txid = None
    with closing(open_copy(database)) as reader:
        try:
            replicating.sync(_CATCH_UP)
            with _nobody_writes(database):
                synced = replicating.sync(_HELD_UP)
                _begin(reader)
            txid = synced.txid if synced.is_whole else None
        except SyncError as error:
            log.warning("not_synced", reason=str(error))
            _begin(reader)
        with closing(sqlite3.connect(image, isolation_level=None)) as target:
            image.chmod(0o600)
            reader.backup(target)
    return txid


def _begin(reader: Connection) -> None:
    """What it reads from now on is of this moment."""
    if not reader.in_transaction:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()


@contextmanager
def _nobody_writes(database: Path) -> Iterator[None]:
    with closing(connect(database)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            writer.execute("ROLLBACK")


def _see_room(database: Path, directory: Path) -> None:
    needed = _COPIES * database.stat().st_size
    if shutil.disk_usage(directory).free < needed:
        raise NotLookedError(f"{needed:,} bytes must be free in {directory}: make room")

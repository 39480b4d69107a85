"""What became of this machine's backups is noted; since when it has any, too."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from app.backup.locking import locked
from app.backup.state import State, read_state, write_state
from app.settings import Settings


def note(settings: Settings, change: Callable[[State], State]) -> None:
    """Change what is known of the backups; the caller has the lock (`app.backup.locking`)."""
    write_state(settings.backup_directory, change(read_state(settings.backup_directory)))


def begin(settings: Settings) -> None:
    """Note since when this machine is to back up, if that isn't noted; the caller has the lock."""
    now = datetime.now(UTC)
    if read_state(settings.backup_directory).since is None:
        note(settings, lambda state: state.model_copy(update={"since": now}))


def see_that_it_began(settings: Settings) -> None:
    """The same for a program that runs all the time: where no backup is ever started, it is known
    since when one is missing."""
    if not settings.repositories or read_state(settings.backup_directory).since is not None:
        return
    # Nobody needs that for anything else: a full disk stops no program by it.
    with suppress(OSError), locked(settings.backup_directory):
        begin(settings)

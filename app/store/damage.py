"""That the database file is damaged, as the processes that meet it tell the node.

Whoever meets it writes a file beside the database; the node looks for it, and sees to the rest
(`app.ha.corruption`). Nobody else does anything about it: the process goes on, and fails again.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3

# sqlite.org/rescode.html: "database disk image is malformed", "file is not a database".
_DAMAGE: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# Of a text of which a byte was flipped; it has no code.
_NO_TEXT: Final = "Could not decode to UTF-8"
log = structlog.get_logger()


def is_damage(error: BaseException) -> bool:
    """Whether an error of SQLite's says that the file isn't what was written."""
    # The lower byte of an extended code is its kind.
    code: int = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF in _DAMAGE or (
        isinstance(error, sqlite3.OperationalError) and _NO_TEXT in str(error)
    )


def malformed(error: UnicodeDecodeError) -> "sqlite3.DatabaseError":
    """What SQLite says of a schema that is no text any more: its message can't be read either."""
    found = sqlite3.DatabaseError(f"database disk image is malformed ({error.reason})")
    found.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return found


def note_damage(database: Path, error: BaseException) -> None:
    """Write it down if ``error`` says so. Raises nothing: the error itself is on its way."""
    if is_damage(error):
        note(database, str(error))


def note(database: Path, what: str) -> None:
    """Write down what is wrong with the file; the first who meets it is enough."""
    if marker(database).exists():
        return
    log.error("database_damaged", reason=what)
    with suppress(OSError):
        marker(database).write_text(f"{what} (met by process {os.getpid()})\n")


def noted(database: Path) -> str | None:
    """What was written down of the file; None: nothing."""
    with suppress(FileNotFoundError):
        return marker(database).read_text().strip() or "a process met it"
    return None


def forget(database: Path) -> None:
    """Another file is in its place, or the file is as it should be."""
    marker(database).unlink(missing_ok=True)


def marker(database: Path) -> Path:
    """Where it is written down."""
    return database.with_name(f"{database.name}.damaged")

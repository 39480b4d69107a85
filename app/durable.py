"""What a power cut must not take: files that are on the disk when the call returns."""

import fcntl
import os
from pathlib import Path
from typing import Final

# On a Mac fsync stops at the drive's cache (its man page, fsync(2)); this one doesn't.
_FULL: Final[int | None] = getattr(fcntl, "F_FULLFSYNC", None)


def sync(descriptor: int) -> None:
    """Have the disk keep what was written to a file, or the names in a directory.

    Raises `OSError`: the disk doesn't keep it.
    """
    if _FULL is not None:
        try:
            fcntl.fcntl(descriptor, _FULL)
        except OSError:
            pass  # Network volumes don't know it; if it's the disk, fsync says so.
        else:
            return
    os.fsync(descriptor)


def sync_path(path: Path) -> None:
    """:func:`sync` for a file, or a directory, that isn't open."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, text: str) -> None:
    """Make ``text`` what a small file has: whoever reads it sees the old or the new one, whole.

    It is on the disk when this returns, and so is its name. The directory is made if it isn't
    there, for this user alone.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        sync(file.fileno())
    new.replace(path)
    sync_path(path.parent)

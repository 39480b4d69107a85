"""A small file that must not be lost: whoever reads it sees the old one or the new one, whole."""

import os
from pathlib import Path


def write_durably(path: Path, text: str) -> None:
    """Make ``text`` what the file has; on the disk when this returns, and so is its name.

    The directory is made if it isn't there, for this user alone.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

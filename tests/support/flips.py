"""Bytes flipped in a file, as a disk that fails flips them: past all that has it open.

By another process: one that closes the file of a database which it has open itself would let go of
all its locks on it (sqlite.org/howtocorrupt.html).
"""

import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

PAGE: Final = 4096


def flip(path: Path, place: int, mask: int) -> None:
    """Flip the bits of ``mask`` in one byte."""
    _told("flip", path, str(place), str(mask))


def flip_somewhere(path: Path, chance: random.Random) -> tuple[int, int]:
    """Flip bits of one byte at a random place; which, and how."""
    place, mask = chance.randrange(path.stat().st_size), chance.randrange(1, 256)
    flip(path, place, mask)
    return place, mask


def flip_text(path: Path, text: str, to: str) -> int:
    """Write ``to`` over each ``text``, of the same length; how often."""
    assert len(text) == len(to)
    return int(_told("text", path, text, to))


def _told(*words: str | Path) -> str:
    command = [sys.executable, "-I", "-S", __file__, *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _flip(path: Path, place: int, mask: int) -> None:
    with path.open("r+b", buffering=0) as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ mask]))


def _write_over(path: Path, text: bytes, to: bytes) -> int:
    whole = path.read_bytes()
    places = [found.start() for found in re.finditer(re.escape(text), whole)]
    with path.open("r+b", buffering=0) as file:
        for place in places:
            file.seek(place)
            file.write(to)
    return len(places)


if __name__ == "__main__":
    verb, where, one, other = sys.argv[1:]
    if verb == "flip":
        _flip(Path(where), int(one), int(other))
    else:
        print(_write_over(Path(where), one.encode(), other.encode()))

"""A database compared, page by page, with another that is of the very same moment.

A byte that a disk flipped inside a date of arrival is right by all that SQLite checks; it is found
here, because what was replicated is made of the write-ahead log alone and never of the file.
"""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, Final

# Of page 1, what SQLite writes anew into a copy (sqlite.org/fileformat2.html#the_database_header):
# the change counter, the schema's cookie, of which version it is, and whose. Nothing is read by it.
_OWN: Final = (slice(24, 28), slice(40, 44), slice(92, 100))
_HEADER: Final = 100


def differing_pages(image: Path, reference: Path) -> list[int]:
    """The numbers of the pages that differ, from 1; those that only one has are among them.

    Both are databases without a log beside them, as a backup or a restore leaves them. Raises
    OSError.
    """
    with image.open("rb") as one, reference.open("rb") as other:
        size = _page_size(other)
        pairs = zip_longest(_pages(one, size), _pages(other, size))
        return [number for number, (mine, its) in enumerate(pairs, 1) if mine != its]


def _page_size(file: BinaryIO) -> int:
    """In bytes; 65,536 is written as 1."""
    head = file.read(_HEADER)
    file.seek(0)
    size = int.from_bytes(head[16:18])
    return 65_536 if size == 1 else max(size, 512)


def _pages(file: BinaryIO, size: int) -> Iterator[bytes]:
    first = bytearray(file.read(size))
    for own in _OWN:
        first[own] = bytes(own.stop - own.start)
    yield bytes(first)
    while page := file.read(size):
        yield page

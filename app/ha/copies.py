"""The files of a standby's copies: one for each start of Litestream, as it can't resume an old one.

``term-<term>-<number>.db`` is the copy; ``….db-txid`` beside it says how far it is, in hexadecimal,
and is there once the copy is whole. Until then the one before is kept, which may be the last left.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"\.?term-(?P<term>\d+)-(?P<number>\d+)\.db")


@dataclass(frozen=True)
class _File:
    path: Path
    term: int
    number: int


class Copies:
    """The copies in ``directory``; the numbers grow, whatever the term."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def anew(self, term: int) -> Path:
        """Where the next copy goes."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = max((file.number for file in self._files()), default=0) + 1
        return self._directory / f"term-{term}-{number}.db"

    def newest(self, term: int) -> Path | None:
        """The newest whole copy of a term."""
        whole = [file for file in self._whole() if file.term == term]
        return max(whole, key=lambda file: file.number).path if whole else None

    def txid(self, copy: Path) -> int | None:
        """How far a copy is."""
        with suppress(OSError, ValueError):
            return int(_txid_file(copy).read_text(), 16)
        return None

    def fetched(self) -> tuple[int, int]:
        """The number of the copy begun last, and how many bytes of it are here; 0: it is whole."""
        files = self._files()
        number = max((file.number for file in files), default=0)
        if any(file.number == number for file in self._whole()):
            return number, 0
        return number, sum(size_of(file.path) for file in files if file.number == number)

    def forget(self, copy: Path) -> None:
        """Delete a copy that is worth nothing."""
        _txid_file(copy).unlink(missing_ok=True)
        copy.unlink(missing_ok=True)

    def forget_older(self) -> None:
        """Delete what is older than the newest whole copy."""
        newest = max((file.number for file in self._whole()), default=0)
        for file in self._files():
            if file.number < newest:
                file.path.unlink(missing_ok=True)

    def _files(self) -> list[_File]:
        """All of them, and what lies beside them."""
        found = ((path, _NAME.match(path.name)) for path in self._directory.glob("*"))
        return [_File(path, int(name["term"]), int(name["number"])) for path, name in found if name]

    def _whole(self) -> list[_File]:
        return [
            file
            for file in self._files()
            if file.path.suffix == ".db" and _txid_file(file.path).exists()
        ]


def size_of(path: Path) -> int:
    """In bytes; 0 if it has gone, as what is fetched gets its last name."""
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _txid_file(copy: Path) -> Path:
    return copy.with_name(f"{copy.name}-txid")

"""What a snapshot had as it was made: a checksum of each file, beside them.

restic sees that what comes back is what it was given; this, that it was given what was made. A bit
that turned on the disk in between is in neither's care, and SQLite's own check doesn't see it in a
text or a number.
"""

import hashlib
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from app.backup.soundness import DamagedError

MANIFEST: Final = "manifest.json"
_SUMS: Final = TypeAdapter(dict[str, str])


class ManifestError(DamagedError):
    """The files are not those that were made. Says which, and what to do."""


def write_manifest(directory: Path) -> None:
    """Write down what is in ``directory``, by names relative to it; links are left out."""
    sums = _sums(directory)
    (directory / MANIFEST).write_bytes(_SUMS.dump_json(sums))


def check_manifest(directory: Path) -> None:
    """Compare; raises :class:`ManifestError`. A snapshot without a manifest is not complained of:
    those of logs have none, as they grow while they are read."""
    path = directory / MANIFEST
    if not path.exists():
        return
    try:
        noted = _SUMS.validate_json(path.read_bytes())
    except ValidationError as error:
        raise ManifestError(f"{MANIFEST} can't be read. {_REMEDY}") from error
    found = _sums(directory)
    changed = sorted(name for name in noted if found.get(name) != noted[name])
    if changed:
        raise ManifestError(f"{', '.join(changed[:3])}: not what was backed up. {_REMEDY}")


_REMEDY: Final = (
    "It turned between being made and being stored: look at that machine's disk and memory, and "
    "take an older backup"
)


def _sums(directory: Path) -> dict[str, str]:
    """SHA-256 in hex of each file."""
    sums = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink() and path != directory / MANIFEST:
            with path.open("rb") as file:
                sums[str(path.relative_to(directory))] = hashlib.file_digest(
                    file, "sha256"
                ).hexdigest()
    return sums

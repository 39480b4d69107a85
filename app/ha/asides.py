"""Databases that were set aside (`app.ha.restoring`), and when they may be deleted."""

import json
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from app.durable import write_durably

# Beside the database: all that it had is handed over, and this is what became of it.
MARKER: Final = "handed-over.json"
# Beside a database that a restore put another in the place of: what of it is to be taken in again.
RESTORED: Final = "restored.json"
# Beside a database that was damaged: what was wrong with it. A person looks, and deletes it.
DAMAGED: Final = "damaged.json"
KEEP: Final = timedelta(days=30)
AT_LEAST: Final = 3
_NAME: Final = re.compile(r"term-\d+-(?P<at>\d{8}T\d{6}\.\d{6})Z")


def prune_aside(directory: Path, keep: timedelta = KEEP, at_least: int = AT_LEAST) -> list[Path]:
    """Delete what was set aside in ``directory/aside/term-N-<time>/`` longer ago; which it was.

    The newest ``at_least`` stay, and so does whatever was not handed over whole.
    """
    before = datetime.now(UTC) - keep
    found = [(at, path) for path in directory.glob("aside/term-*") if (at := _set_aside_at(path))]
    older = sorted(found, reverse=True)[at_least:]
    gone = [
        path
        for at, path in older
        if at < before and is_handed_over(path) and not (path / DAMAGED).exists()
    ]
    for path in gone:
        # The marker goes last: what is left after a power cut is still known for what it is.
        for file in path.iterdir():
            if file.name != MARKER:
                shutil.rmtree(file) if file.is_dir() else file.unlink()
        shutil.rmtree(path)
    return gone


def is_handed_over(path: Path) -> bool:
    """Whether the leader has all that a database in ``path`` had, and could read it."""
    try:
        return bool(json.loads((path / MARKER).read_text())["counts"]["refused"] == 0)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def keep_for_ever(path: Path, damage: str) -> None:
    """Never delete the folder ``path``, whose database is damaged or will be set aside as such."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_down(path / DAMAGED, {"damage": damage}, durable=True)


def write_down(path: Path, content: Mapping[str, Any], *, durable: bool = False) -> None:
    """Write JSON, whole or not at all; ``durable``: on the disk when this returns."""
    text = json.dumps(content)
    if durable:
        write_durably(path, text)
        return
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)


def _set_aside_at(path: Path) -> datetime | None:
    matched = _NAME.fullmatch(path.name)
    if matched is None:
        return None
    return datetime.strptime(matched["at"], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)

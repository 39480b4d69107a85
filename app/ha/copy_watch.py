"""Whether the copy that a standby follows is damaged; looked at beside, every hour."""

import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

from app import steady
from app.store.damage import is_damage
from app.store.database import DatabaseError, open_copy

# It is led with only if nothing better is left; a look reads all of it.
EVERY: Final = timedelta(hours=1)
# Litestream writes to the file meanwhile, so what is looked at may be of two moments: damaged is
# what is damaged each time.
_TIMES: Final = 3


class CopyWatch:
    """When the copy was looked at, and what was found."""

    def __init__(self) -> None:
        self._looking = ThreadPoolExecutor(1, "copy")
        self._look: Future[bool] | None = None
        self._due = steady.now() + EVERY.total_seconds()

    def look_now(self) -> None:
        """Somebody stumbled over it."""
        self._due = steady.now()

    def is_damaged(self, copy: Path) -> bool:
        """Each second: whether a look that is over by now found it damaged. Returns at once."""
        if self._look is None:
            if steady.now() >= self._due:
                self._due = steady.now() + EVERY.total_seconds()
                self._look = self._looking.submit(is_copy_damaged, copy)
            return False
        if not self._look.done():
            return False
        look, self._look = self._look, None
        # Gone meanwhile, or no room: nothing is known of it.
        return look.exception() is None and look.result()


def is_copy_damaged(copy: Path) -> bool:
    """Whether a file that Litestream may be writing to is no sound database. Raises OSError.

    Never the file itself is looked at: Litestream waits for no reader, but begins anew.
    """
    image = copy.with_name(f"{copy.name}.look")
    try:
        return all(_is_malformed(copy, image) for _ in range(_TIMES))
    finally:
        for beside in ("", "-wal", "-shm"):
            image.with_name(f"{image.name}{beside}").unlink(missing_ok=True)


def _is_malformed(copy: Path, image: Path) -> bool:
    shutil.copyfile(copy, image)
    image.chmod(0o600)
    try:
        with closing(open_copy(image)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except DatabaseError as error:
        return is_damage(error)

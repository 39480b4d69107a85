"""A copy of the whole store in one file, of one moment, made while all goes on: for the backup."""

import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy.engine import URL, make_url

from app.durable import sync_path
from cloud_jobs.store.database import BUSY, StoreError

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3

# A gigabyte takes Postgres some minutes.
_LONGEST: Final = 3600.0


def make_snapshot(url: str, to: Path) -> None:
    """Write the store at ``url`` to the file ``to``, checked; what was there stays until then.

    A SQLite file, or ``pg_dump``'s own format (back again: ``pg_restore``). Raises
    :class:`StoreError`.
    """
    parsed = make_url(url)
    new = to.with_name(f"{to.name}.new")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        # Everything that is known of guests' bookings is in it.
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        if parsed.get_backend_name() == "sqlite":
            _of_sqlite(parsed, new)
        else:
            _of_postgres(parsed, new)
        sync_path(new)
        new.replace(to)
        sync_path(to.parent)
    except OSError as error:
        raise StoreError(
            f"{to} can't be written: {error}. Make room there, and let this user write to it"
        ) from error
    finally:
        new.unlink(missing_ok=True)


def _of_sqlite(url: URL, new: Path) -> None:
    path = Path(url.database or "")
    if not path.is_file():
        raise StoreError(f"{path} isn't there: is PORTIERE_STORE_URL right?")
    try:
        with closing(sqlite3.connect(str(path), timeout=BUSY.total_seconds())) as connection:
            connection.execute("VACUUM INTO ?", (str(new),))
        with closing(sqlite3.connect(f"file:{new}?mode=ro&immutable=1", uri=True)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise StoreError(
            f"{path} can't be copied: {error}. The last snapshot is kept; look at the disk"
        ) from error
    if verdict != "ok":
        raise StoreError(f"the copy of {path} is corrupt ({verdict}): so is the store, most likely")


def _of_postgres(url: URL, new: Path) -> None:
    password = str(url.password) if url.password is not None else None
    # Not on the command line, which anybody on the machine may read.
    secret = {"PGPASSWORD": password} if password else {}
    place = url.set(drivername="postgresql", password=None).render_as_string()
    dump = ["--format=custom", "--no-owner", f"--file={new}", f"--dbname={place}"]
    _run("pg_dump", dump, secret)
    # Its list of contents is at its beginning, and says that it is whole at least so far.
    _run("pg_restore", ["--list", str(new)], {})


def _run(name: str, arguments: list[str], secret: dict[str, str]) -> None:
    program = shutil.which(name)
    if program is None:
        raise StoreError(
            f"{name} isn't installed here, and PORTIERE_STORE_URL is a Postgres: install "
            "postgresql-client of the server's version or newer, or have the server backed up by "
            "its own means"
        )
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **secret}
    try:
        done = subprocess.run(  # noqa: S603 - ours
            [program, *arguments],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=_LONGEST,
        )
    except subprocess.TimeoutExpired as error:
        raise StoreError(f"{name} took longer than an hour: look at the server") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise StoreError(f"{name}: {lines[-1]}. The last snapshot is kept")

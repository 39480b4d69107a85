"""The store's schema: brought up to what this release needs, and verified by who uses it.

The migrations are Alembic's, in ``migrations/versions``: a file each, ``<revision>_<what>.py``. The
scheduler runs them; the others wait for it. Which revision is needed is read off the files' names,
since Alembic takes more memory than a worker does without it.
"""

import time
from datetime import timedelta
from importlib.resources import files
from typing import Final

from sqlalchemy import inspect, text

from cloud_jobs.store.database import Store, StoreError

# How long a process waits for the scheduler, which is started at the same time, to migrate.
PATIENCE: Final = timedelta(seconds=60)
_LOOK_AGAIN: Final = timedelta(milliseconds=200)


class SchemaError(StoreError):
    """The store is not at the revision that this release works with; says what to do."""


def needed() -> str:
    """The revision that this release works with: a number of four digits."""
    return _revisions()[-1]


def current(store: Store) -> str | None:
    """The revision that the store is at; None for a store without tables."""
    with store.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found


def verify(store: Store) -> None:
    """Raises SchemaError unless the store is at the revision that this release works with."""
    found = current(store)
    refuse_newer(found)
    if found is None:
        raise SchemaError("the store has no tables yet: run `portiere cloud migrate`")
    if found != needed():
        raise SchemaError(
            f"the store is at revision {found}, this release needs {needed()}: stop the other "
            "processes of the cloud layer and run `portiere cloud migrate`"
        )


def refuse_newer(found: str | None) -> None:
    """Raises SchemaError for a store of a newer release."""
    if found is not None and found not in _revisions():
        raise SchemaError(
            f"the store is at revision {found}, of a newer release; this one knows up to "
            f"{needed()}: install that again, or with it run `portiere cloud migrate --to "
            f"{needed()}` first"
        )


def wait_until_current(store: Store, patience: timedelta = PATIENCE) -> None:
    """Wait for the scheduler to migrate the store; raises SchemaError if it doesn't."""
    end = time.monotonic() + patience.total_seconds()
    while time.monotonic() < end:
        found = current(store)
        refuse_newer(found)
        if found == needed():
            return
        time.sleep(_LOOK_AGAIN.total_seconds())
    verify(store)


def migrate(store: Store, to: str | None = None) -> None:
    """Bring the store to revision ``to``, or to what is needed; whoever else tries waits meanwhile.

    In one transaction: a migration that fails leaves the store as it was. Raises SchemaError for a
    store of a newer release and for a revision that there is not.
    """
    if to is not None and to not in ("base", *_revisions()):
        raise SchemaError(f"there is no revision {to}: there are {', '.join(_revisions())}")
    to = to or needed()
    found = current(store)
    refuse_newer(found)
    if found == to:
        return
    from cloud_jobs.store.migrating import run  # noqa: PLC0415 - loads Alembic: see above

    run(store, to, back=to == "base" or (found is not None and to < found))


def _revisions() -> list[str]:
    """All that this release knows, the oldest first."""
    versions = files("cloud_jobs.store").joinpath("migrations", "versions")
    return sorted(
        file.name.partition("_")[0]
        for file in versions.iterdir()
        if file.name.endswith(".py") and file.name[0].isdigit()
    )

"""Alembic, asked from the program: its configuration file would be one more thing to install.

``python -m cloud_jobs.store.migrating "what changes"`` writes the next migration, to be read before
it is kept: what the tables are now beside what the migrations made so far.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from cloud_jobs.store.database import Store
from cloud_jobs.store.schema import migrate, needed

# Any number, as long as it is always the same: who holds it migrates.
_LOCK: Final = 7_081_964


def run(store: Store, to: str, *, back: bool) -> None:
    """Bring the store up to a revision, or back to one, in one transaction."""
    with store.writing() as session:
        connection = session.connection()
        # On SQLite the transaction alone is the lock.
        if not store.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        change = command.downgrade if back else command.upgrade
        change(_config(connection), to)


def _config(connection: Connection) -> Config:
    made = Config()
    made.set_main_option("script_location", "cloud_jobs:store/migrations")
    made.attributes["connection"] = connection
    return made


def _write(what: str) -> None:
    """Write the next migration, numbered on from the last."""
    number = f"{int(needed()) + 1:04}"
    with TemporaryDirectory() as directory:
        store = Store(f"sqlite:///{Path(directory) / 'migrated.db'}")
        migrate(store)
        with store.writing() as session:
            made = _config(session.connection())
            command.revision(made, message=what, autogenerate=True, rev_id=number)
        store.close()


if __name__ == "__main__":
    _write(sys.argv[1])

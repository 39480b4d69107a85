"""A Postgres of its own for the tests: made once, gone with them; a database for each test."""

import getpass
import shutil
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
from sqlalchemy import create_engine

from cloud_jobs.store.tables import METADATA
from tests.support.processes import eventually, free_port

_TEMPLATE = "with_tables"
# A database is 7 MB. More than one test has at once.
_KEPT = 20


@dataclass
class Cluster:
    """A running server on loopback."""

    port: int
    _numbers: Iterator[int] = field(default_factory=count)
    _kept: deque[str] = field(default_factory=deque)

    def url(self, database: str) -> str:
        """Of a database, for SQLAlchemy."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def fresh(self) -> str:
        """The URL of a new database that has the tables, empty."""
        if len(self._kept) > _KEPT:
            self._execute(f"DROP DATABASE {self._kept.popleft()} WITH (FORCE)")
        name = f"test_{next(self._numbers)}"
        self._kept.append(name)
        self._execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self.url(name)

    def make_template(self) -> None:
        """Make the tables once: copying them is quicker."""
        eventually(self._answers, "Postgres answers")
        self._execute(f"CREATE DATABASE {_TEMPLATE}")
        engine = create_engine(self.url(_TEMPLATE))
        METADATA.create_all(engine)
        engine.dispose()

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: str) -> None:
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A new cluster, as the user `postgres` where we are root: it refuses to run as that."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    user = "postgres" if getpass.getuser() == "root" else None
    directory = Path(tempfile.mkdtemp(prefix="portiere-postgres-"))
    if user:
        shutil.chown(directory, user)
    data = directory / "data"
    port = free_port()
    initdb = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-N"]
    # On loopback only, and nothing needs to outlive a power cut.
    server = [
        *(str(programs / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port)),
        *("-c", "fsync=off", "-c", f"unix_socket_directories={directory}"),
    ]
    with (directory / "log").open("wb") as log:
        subprocess.run(initdb, user=user, cwd="/", stdout=log, stderr=log, check=True)
        running = subprocess.Popen(server, user=user, cwd="/", stdout=log, stderr=log)
    try:
        made = Cluster(port)
        made.make_template()
        yield made
    finally:
        running.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
        running.wait()
        shutil.rmtree(directory)

"""Two machines' directories, and a place between them: as SFTP for the leader, as a directory."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from app.ha import litestream
from app.ha.following import Following
from app.ha.replicating import Replicating
from app.settings import Settings
from tests.support.processes import PROPERTY, eventually
from tests.support.sftp import SftpServer, sftp_server
from tests.support.writing import writer

KEY = base64.b64encode(b"k" * 32).decode()
SOON = timedelta(seconds=3)


def settings(directory: Path, **given: object) -> Settings:
    """A machine's settings with ``given`` ones, by their names in the class."""
    directory.mkdir(exist_ok=True)
    return Settings.model_validate(
        {
            "database": directory / "portiere.db",
            "property_file": PROPERTY,
            "spoki_api_key": "invented-key",
            "spoki_webhook_secret": "invented-secret",
            "seal_keys": f"k1:{KEY}",
            "index_key": KEY,
            **given,
        }
    )


@dataclass
class Pair:
    """The leader's settings and the standby's; what replicates, what follows, what writes."""

    leader: Settings
    standby: Settings
    place: Path
    sftp: SftpServer | None

    def __post_init__(self) -> None:
        self.replicating = Replicating(self.leader, self.leader.ha_directory)
        self.following = Following(self.standby, self.standby.ha_directory)
        self.writer = writer(self.leader.database, self.place.with_name("writer.log"))

    def stop(self) -> None:
        """End what runs."""
        if hasattr(self.writer, "popen"):
            self.writer.kill()
        self.replicating.stop(SOON)
        self.following.stop(SOON)

    def tend(self) -> None:
        """What the two nodes do each second."""
        self.replicating.tend()
        self.following.tend()


def beats(pair: Pair) -> int:
    """The number of the newest beat that the standby has."""
    pair.tend()
    found = pair.following.beat()
    return found.beat if found else 0


def pid(pair: Pair, name: str) -> int:
    """The pid of Litestream, as its lock says it."""
    machine = pair.leader if name == "replicating" else pair.standby
    lock = machine.ha_directory / f"{name}.lock"
    return int(eventually(lock.read_text, "it has begun"))


def forget_history(pair: Pair) -> None:
    """What the place does once its snapshots are too old: a new one, and nothing before it but the
    newest piece, from which Litestream knows how far it is."""
    config = str(pair.leader.ha_directory / "replicating.yml")
    done = litestream.run(
        ["replicate", "-config", config, "-no-expand-env", "-once", "-force-snapshot"],
        timedelta(seconds=20),
    )
    assert done.returncode == 0, done.stderr
    kept = [
        max(pair.place.rglob(f"ltx/{level}/*.ltx"), key=lambda path: path.name.partition("-")[2])
        for level in (0, 9)
    ]
    for piece in pair.place.rglob("*.ltx"):
        if piece not in kept:
            piece.unlink()


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[SftpServer]:
    (tmp_path / "ssh").mkdir()
    with sftp_server(tmp_path / "ssh") as server:
        yield server


def by_sftp(directory: Path, server: SftpServer) -> Settings:
    """Settings of a machine for which the place is at the other one."""
    return settings(
        directory / "mac",
        ha_replica=server.url(directory / "place"),
        ha_replica_key=server.key,
        ha_replica_host_key=server.host_key,
    )


def by_file(directory: Path, machine: str) -> Settings:
    """Settings of a machine that has the place itself."""
    return settings(directory / machine, ha_replica=f"file://{directory / 'place'}")


@pytest.fixture
def pair(tmp_path: Path, sftp: SftpServer) -> Iterator[Pair]:
    """The leader reaches the place by SFTP, the standby has it: the Mac leads."""
    found = Pair(by_sftp(tmp_path, sftp), by_file(tmp_path, "vps"), tmp_path / "place", sftp)
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture
def turned(tmp_path: Path, sftp: SftpServer) -> Iterator[Pair]:
    """The leader has the place, the standby reaches it by SFTP: the VPS leads."""
    found = Pair(by_file(tmp_path, "vps"), by_sftp(tmp_path, sftp), tmp_path / "place", sftp)
    try:
        yield found
    finally:
        found.stop()

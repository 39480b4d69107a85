"""Snapshots by the real program: what is stored comes back, and is named as it was stored."""

import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from app.backup import restic
from app.backup.kinds import Kind
from app.backup.program import run
from app.backup.restic import GOOD, BackupError, MissingError, Repository
from tests.support.backups import back_up, made, repository

pytestmark = pytest.mark.thorough

AT = datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return made(tmp_path_factory.mktemp("repo"))


def test_what_is_stored_comes_back(repo: Repository, tmp_path: Path) -> None:
    staged = tmp_path / "staged with a space"
    (staged / "è un nome").mkdir(parents=True)
    (staged / "è un nome" / "b").write_bytes(b"\0\xff")
    snapshot = restic.back_up(repo, Kind.LOGS, "mac", AT, staged)
    assert (snapshot.kind, snapshot.host, snapshot.at) == (Kind.LOGS, "mac", AT)
    assert len(snapshot.id) == 64
    assert snapshot.id == snapshot.original
    restic.restore(repo, snapshot.id[:8], tmp_path / "restored")
    assert (tmp_path / "restored" / "è un nome" / "b").read_bytes() == b"\0\xff"
    # What somebody else put there is not ours.
    run(repo, ["backup", "--tag", "by-hand", str(staged)], within=timedelta(minutes=1))
    assert restic.snapshots(repo, host="mac") == [snapshot]
    assert snapshot in restic.snapshots(repo)


def test_they_are_listed_by_kind_and_host_the_oldest_first(
    repo: Repository, tmp_path: Path
) -> None:
    later = back_up(repo, tmp_path, kind=Kind.CLOUD, host="one", at=AT)
    other = back_up(repo, tmp_path, kind=Kind.CLOUD, host="two", at=AT)
    first = back_up(repo, tmp_path, kind=Kind.CLOUD, host="one", at=AT - timedelta(days=1))
    assert restic.snapshots(repo, kind=Kind.CLOUD, host="one") == [first, later]
    assert other in restic.snapshots(repo, kind=Kind.CLOUD)
    assert restic.snapshots(repo, kind=Kind.REDIS) == []


def test_a_tagged_one_is_found_by_the_id_that_it_had(repo: Repository, tmp_path: Path) -> None:
    snapshot = back_up(repo, tmp_path, kind=Kind.REDIS, host="tagged")
    tagged = restic.tag(repo, snapshot, add=[GOOD])
    assert tagged.tags == ("redis", GOOD)
    assert (tagged.at, tagged.original) == (snapshot.at, snapshot.id)
    assert tagged.is_called(snapshot.id[:8])
    assert tagged.is_called(tagged.id)
    assert not tagged.is_called(tagged.id[:7])
    assert restic.tag(repo, tagged, remove=[GOOD]).tags == ("redis",)
    with pytest.raises(MissingError, match="portiere backup list"):
        restic.tag(repo, back_up_nowhere(snapshot), add=[GOOD])


def back_up_nowhere(snapshot: restic.Snapshot) -> restic.Snapshot:
    """One that isn't there."""
    return restic.Snapshot("0" * 64, snapshot.kind, AT, "nowhere", None, (), "0" * 64)


def test_what_lies_in_a_groups_directory_is_the_groups(tmp_path: Path) -> None:
    """Of the two accounts that share it on the VPS each reads and deletes what the other wrote."""
    directory = tmp_path / "repository"
    directory.mkdir()
    directory.chmod(0o2770)
    repo = repository(tmp_path)
    restic.initialise(repo)
    with pytest.raises(BackupError, match="already exists"):
        restic.initialise(repo)
    back_up(repo, tmp_path, at=datetime.now(UTC))
    for path in directory.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        wanted = 0o070 if path.is_dir() else 0o040
        assert mode & wanted == wanted, (path, oct(mode))
        assert not mode & 0o007


def test_what_lies_in_ones_own_is_ones_own(repo: Repository) -> None:
    assert not stat.S_IMODE((Path(repo.address) / "config").stat().st_mode) & 0o077

"""What goes wrong with a repository, and that the next backup works all the same."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.backup import restic
from app.backup.keeping import keep
from app.backup.kinds import Kind
from app.backup.restic import (
    LockedError,
    MissingError,
    NoSpaceError,
    Repository,
    UnreachableError,
    WrongKeyError,
)
from tests.support.backups import KEY, Writer, back_up, by_rclone, made, repository
from tests.support.processes import REPOSITORY, eventually, free_port
from tests.support.small_disk import small_disk

pytestmark = pytest.mark.thorough

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """One with a snapshot in it."""
    directory = tmp_path_factory.mktemp("repo")
    found = made(directory)
    back_up(found, directory)
    return found


@pytest.mark.parametrize("remote", [False, True])
def test_another_key(repo: Repository, tmp_path: Path, *, remote: bool) -> None:
    reached = by_rclone(repo) if remote else repo
    other = replace(reached, key=SecretStr("another"), directory=tmp_path)
    with pytest.raises(WrongKeyError, match="PORTIERE_BACKUP_KEY"):
        restic.snapshots(other)
    with pytest.raises(WrongKeyError):
        back_up(other, tmp_path)
    with pytest.raises(WrongKeyError):
        restic.exists(other)


def test_no_repository_and_no_such_snapshot(repo: Repository, tmp_path: Path) -> None:
    nowhere = repository(tmp_path)
    assert not restic.exists(nowhere)
    for one in (nowhere, by_rclone(nowhere)):
        with pytest.raises(MissingError, match="look at the address"):
            back_up(one, tmp_path)
    with pytest.raises(MissingError, match="portiere backup list"):
        restic.restore(repo, "deadbeef", tmp_path / "restored")


def test_nobody_answers(tmp_path: Path) -> None:
    port = free_port()
    ssh = f"ssh -F none -o BatchMode=yes -p {port} desk@127.0.0.1"
    for address in ("rclone:portiere", f"s3:http://127.0.0.1:{port}/bucket"):
        gone = repository(
            tmp_path,
            address,
            ssh=ssh,
            s3_key_id=SecretStr("an-id"),
            s3_secret=SecretStr("a-secret"),
        )
        with pytest.raises(UnreachableError, match="is up, and"):
            back_up(gone, tmp_path)


def test_killed_midway_the_next_backup_works(tmp_path: Path) -> None:
    """With `kill -9`, while it writes; what it left is deleted when it is kept."""
    repo = made(tmp_path)
    staged = tmp_path / "staged"
    staged.mkdir()
    (staged / "a file").write_bytes(os.urandom(40 * MEGABYTE))
    code = (
        "import sys; from pathlib import Path; from datetime import UTC, datetime\n"
        "from app.backup import restic; from app.backup.kinds import Kind\n"
        "from tests.support.backups import by_rclone, repository\n"
        "repo = by_rclone(repository(Path(sys.argv[1])), sys.argv[2])\n"
        "restic.back_up(repo, Kind.SQLITE, 'mac', datetime.now(UTC), Path(sys.argv[3]))\n"
    )
    served = f"--bwlimit 8M --append-only {repo.address}"
    arguments = [sys.executable, "-c", code, str(tmp_path), served, str(staged)]
    run = subprocess.Popen(arguments, cwd=REPOSITORY, start_new_session=True)
    eventually(lambda: stored(repo, "data"), "a part of it is stored")
    os.killpg(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    assert stored(repo, "locks")
    assert restic.snapshots(repo) == []

    snapshot = restic.back_up(by_rclone(repo), Kind.SQLITE, "mac", now(), staged)
    restic.restore(repo, snapshot.id, tmp_path / "restored")
    restored = (tmp_path / "restored/a file").read_bytes()
    assert restored == (staged / "a file").read_bytes()
    # Keeping has it to itself, so the lock of the dead is removed first.
    kept = keep(replace(repo, patience=timedelta(seconds=30)), now())
    assert kept.failed is None
    assert not stored(repo, "locks")


def test_the_disk_of_the_repository_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8 * MEGABYTE) as disk:
        repo = replace(made(disk), directory=tmp_path / "backup")
        first = back_up(repo, tmp_path, "before it was full")
        with pytest.raises(NoSpaceError, match="make room"):
            back_up(repo, tmp_path, os.urandom(10 * MEGABYTE).hex())
        # What is there is as good as before; after room was made, so is the next.
        restic.restore(repo, first.id, tmp_path / "restored")
        assert (tmp_path / "restored/a file").read_text() == "before it was full"
        subprocess.run(["mount", "-o", f"remount,size={80 * MEGABYTE}", disk], check=True)
        back_up(repo, tmp_path, "after room was made")
        restic.check(repo, "100%")


def test_the_disk_is_full_when_it_is_restored(repo: Repository, tmp_path: Path) -> None:
    large = back_up(repo, tmp_path, os.urandom(4 * MEGABYTE).hex())
    with (
        small_disk(tmp_path / "disk", 2 * MEGABYTE) as disk,
        pytest.raises(NoSpaceError, match="make room"),
    ):
        restic.restore(repo, large.id, disk / "restored")


def test_another_has_it_locked(tmp_path: Path) -> None:
    repo = made(tmp_path)
    lock = Writer(repo).lock(now())
    with pytest.raises(LockedError, match="if none runs anywhere"):
        back_up(repo, tmp_path)
    # Who looks waits for nobody.
    assert restic.snapshots(repo) == []
    threading.Timer(1, lock.unlink).start()
    back_up(replace(repo, patience=timedelta(minutes=1)), tmp_path)
    assert len(restic.snapshots(repo)) == 1


def test_the_lock_of_who_died_elsewhere_is_removed_half_an_hour_later(tmp_path: Path) -> None:
    repo = made(tmp_path)
    lock = Writer(repo).lock(now() - timedelta(minutes=31))
    back_up(replace(repo, patience=timedelta(seconds=30)), tmp_path)
    assert not lock.exists()


def test_two_at_once_and_one_who_keeps(tmp_path: Path) -> None:
    repo = replace(made(tmp_path), patience=timedelta(minutes=2))
    places = [tmp_path / str(number) for number in range(2)]
    with ThreadPoolExecutor() as pool:
        for place in places:
            place.mkdir()
        made_at_once = [pool.submit(back_up, repo, place, place.name) for place in places]
        kept = pool.submit(keep, repo, now()).result()
        snapshots = {one.result().id for one in made_at_once}
    assert kept.failed is None
    assert {one.id for one in restic.snapshots(repo)} == snapshots
    restic.check(repo, "100%")


def test_no_secret_is_on_a_command_line(repo: Repository, tmp_path: Path) -> None:
    """Its child sees restic's own line, which everyone on the machine can see."""
    seen = tmp_path / "seen"
    looks = by_rclone(repo, before=f"cat /proc/$PPID/cmdline >>{seen};")
    back_up(looks, tmp_path)
    line = seen.read_text()
    assert "\0backup\0" in line
    assert KEY not in line


def stored(repo: Repository, where: str) -> list[Path]:
    return [path for path in (Path(repo.address) / where).rglob("*") if path.is_file()]


def now() -> datetime:
    return datetime.now(UTC)

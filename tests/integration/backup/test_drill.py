"""The nightly drill, with a real restic, Redis and Litestream: what is good, and all that isn't."""

import os
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from app.backup import restic
from app.backup.drilling import LITESTREAM, REPOSITORIES, drill
from app.backup.kinds import Kind
from app.backup.program import run
from app.backup.proving import UnprovedError, prove
from app.backup.restic import GOOD, BackupError, Repository, Snapshot
from app.backup.soundness import TableDigest, check_database, table_digests
from app.backup.staging import DATABASE, stage
from app.backup.state import read_state
from app.ha.newest_replicated import restore_newest
from app.ha.replicating import Replicating
from app.settings import Settings
from app.store.database import connect
from tests.support.furnished import furnish, settings_of
from tests.support.processes import eventually, redis_server
from tests.support.small_disk import small_disk
from tests.support.trials import TRIALS

SOON = timedelta(seconds=5)
KEY = "invented-key-of-repositories"


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis with some keys, and its URL."""
    with redis_server(tmp_path_factory.mktemp("redis")) as (_, url):
        client = redis.Redis.from_url(url)
        client.config_set("repl-diskless-sync-delay", 0)
        for number in range(100):
            client.set(f"key-{number}", number)
        client.rpush("dramatiq:desk", *range(100))
        yield url


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with nothing in it, to be copied: to make one takes a second."""
    place = tmp_path_factory.mktemp("empty")
    made = settings_of(
        place / "desk", backup_repositories=str(place / "repository"), backup_key=KEY
    )
    restic.initialise(the(made))
    return place / "repository"


@pytest.fixture
def desk(tmp_path: Path, queue: str, empty: Path) -> Settings:
    """A machine with all kinds, that drills; nothing of it is backed up yet."""
    shutil.copytree(empty, tmp_path / "repository")
    for name in ("etc", "log"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "some.txt").write_text("invented")
    cloud = tmp_path / "cloud.db"
    with closing(sqlite3.connect(cloud)) as store:
        store.execute("CREATE TABLE stays (id INTEGER PRIMARY KEY)")
    found = settings_of(
        tmp_path / "vps",
        node_name="vps",
        redis_url=queue,
        log_dir=tmp_path / "log",
        backup_repositories=str(tmp_path / "repository"),
        backup_key=KEY,
        backup_keeps=True,
        backup_configuration=str(tmp_path / "etc"),
        backup_cloud_snapshot=cloud,
        backup_least_free=1,
    )
    furnish(found, guests=120)
    return found


def the(settings: Settings) -> Repository:
    """Its only repository."""
    return restic.repositories(settings)[0]


def back_up(settings: Settings, kind: Kind, tmp_path: Path) -> Snapshot:
    staged = tmp_path / f"staged-{kind}"
    staged.mkdir()
    try:
        at = stage(settings, kind, staged)
        return restic.back_up(the(settings), kind, settings.node_name, at, staged)
    finally:
        shutil.rmtree(staged)


def left(settings: Settings) -> list[str]:
    """What a drill left on the disk."""
    return [path.name for path in settings.backup_directory.glob("*") if "drill" in path.name]


def test_all_that_is_good_is_said_to_be_and_tagged(desk: Settings, tmp_path: Path) -> None:
    made = {kind: back_up(desk, kind, tmp_path) for kind in Kind}

    found = drill(desk)

    assert {name: one.failed for name, one in found.items()} == dict.fromkeys(
        [*(kind.value for kind in Kind), REPOSITORIES]
    )
    assert found["sqlite"].made_at == made[Kind.SQLITE].at
    assert found["sqlite"].counts["bookings"] == 120
    assert "101 keys" in found["redis"].found
    assert read_state(desk.backup_directory).drills == found
    assert left(desk) == []
    tagged = [one for one in restic.snapshots(the(desk)) if GOOD in one.tags]
    assert {one.original for one in tagged} == {one.id for one in made.values()}
    # The next night there is a newer one of some: it is good instead of the one before.
    newer = back_up(desk, Kind.SQLITE, tmp_path)
    assert not any(one.failed for one in drill(desk).values())
    good = [one for one in restic.snapshots(the(desk), kind=Kind.SQLITE) if GOOD in one.tags]
    assert [one.original for one in good] == [newer.id]


def test_what_was_replicated_is_tried_too(desk: Settings, tmp_path: Path) -> None:
    replicated = desk.model_copy(update={"ha_replica": f"file://{tmp_path}/place"})
    assert LITESTREAM not in drill(replicated, partial(restore_newest, replicated))
    replicating = Replicating(replicated, replicated.ha_directory)
    replicating.start(7)
    try:
        eventually(lambda: list((tmp_path / "place").rglob("*.ltx")), "it replicates")
        assert replicating.sync(SOON).is_whole
    finally:
        replicating.stop(SOON)
    found = drill(replicated, partial(restore_newest, replicated))[LITESTREAM]
    assert found.failed is None
    assert found.counts["bookings"] == 120
    for piece in (tmp_path / "place").rglob("*.ltx"):
        raw = piece.read_bytes()
        piece.write_bytes(raw[: len(raw) // 2])
    failed = drill(replicated, partial(restore_newest, replicated))[LITESTREAM].failed
    assert failed is not None
    assert "Use the standby's copy, or a backup" in failed
    assert left(replicated) == []


def test_fewer_rows_are_told_once(desk: Settings, tmp_path: Path) -> None:
    back_up(desk, Kind.SQLITE, tmp_path)
    assert not drill(desk)["sqlite"].failed
    with closing(connect(desk.database)) as connection:
        connection.execute("DELETE FROM history WHERE id > 10")
    back_up(desk, Kind.SQLITE, tmp_path)
    failed = drill(desk)["sqlite"].failed
    assert failed is not None
    assert "120 of history, now 10" in failed
    # Whoever meant it needs to say nothing.
    assert not drill(desk)["sqlite"].failed


def test_what_turned_before_it_was_stored_is_found(desk: Settings, tmp_path: Path) -> None:
    """SQLite sees nothing in the number of another room; what was noted of the file tells."""
    staged = tmp_path / "staged"
    staged.mkdir()
    at = stage(desk, Kind.SQLITE, staged)
    raw = (staged / DATABASE).read_bytes()
    (staged / DATABASE).write_bytes(raw.replace(b"Room 77", b"Room 78", 1))
    check_database(staged / DATABASE, desk)
    restic.back_up(the(desk), Kind.SQLITE, "vps", at, staged)
    failed = drill(desk)["sqlite"].failed
    assert failed is not None
    assert "portiere.db: not what was backed up" in failed
    assert not [one for one in restic.snapshots(the(desk)) if GOOD in one.tags]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda to: (to / DATABASE).unlink(), "there is no portiere.db in it"),
        (lambda to: (to / DATABASE).write_bytes(b"SQLite format 3\0" * 300), "is damaged"),
        (lambda to: os.truncate(to / DATABASE, 8192), "is damaged"),
    ],
)
def test_what_is_no_database_is_not_good(
    desk: Settings, tmp_path: Path, spoil: Callable[[Path], object], why: str
) -> None:
    staged = tmp_path / "staged"
    staged.mkdir()
    at = stage(desk, Kind.SQLITE, staged)
    (staged / "manifest.json").unlink()
    spoil(staged)
    (staged / "beside").touch()
    restic.back_up(the(desk), Kind.SQLITE, "vps", at, staged)
    failed = drill(desk)["sqlite"].failed
    assert failed is not None
    assert why in failed
    assert "older backup" in failed
    assert left(desk) == []


def test_other_keys_and_a_newer_release_are_found(desk: Settings, tmp_path: Path) -> None:
    with closing(connect(desk.database)) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('portiere', 'bicycles', '')"
        )
    back_up(desk, Kind.SQLITE, tmp_path)
    assert "Deploy that release" in str(drill(desk)["sqlite"].failed)


def test_a_repository_of_another_key_is_said(desk: Settings, tmp_path: Path) -> None:
    back_up(desk, Kind.SQLITE, tmp_path)
    other = desk.model_copy(update={"backup_key": SecretStr("another")})
    failed = drill(other)["sqlite"].failed
    assert failed is not None
    assert "PORTIERE_BACKUP_KEY is not the repository's" in failed


def test_a_repository_that_is_gone_is_said_of_all_that_it_had(
    desk: Settings, tmp_path: Path
) -> None:
    for kind in (Kind.SQLITE, Kind.LOGS):
        back_up(desk, kind, tmp_path)
    assert not any(one.failed for one in drill(desk).values())
    shutil.rmtree(tmp_path / "repository")
    found = drill(desk)
    assert {name for name, one in found.items() if one.failed} == {"sqlite", "logs"}
    assert "portiere backup list" in str(found["logs"].failed)


def test_a_kind_that_is_missing_is_said_and_one_that_never_was_is_not(
    desk: Settings, tmp_path: Path
) -> None:
    assert drill(desk) == {}
    back_up(desk, Kind.LOGS, tmp_path)
    snapshot = back_up(desk, Kind.SQLITE, tmp_path)
    assert set(drill(desk)) == {"logs", "sqlite", REPOSITORIES}
    gone = next(one for one in restic.snapshots(the(desk)) if one.original == snapshot.id)
    run(the(desk), ["forget", gone.id], within=timedelta(minutes=1))
    found = drill(desk)
    assert "portiere backup now sqlite" in str(found["sqlite"].failed)
    assert found["logs"].failed is None


def test_two_machines_logs_are_both_tried(desk: Settings, tmp_path: Path) -> None:
    other = desk.model_copy(update={"node_name": "mac"})
    for settings in (desk, other):
        back_up(settings, Kind.LOGS, tmp_path)
    assert drill(desk)["logs"].found.count("1 files") == 2


def test_on_a_disk_that_is_nearly_full_nothing_is_restored(desk: Settings, tmp_path: Path) -> None:
    back_up(desk, Kind.SQLITE, tmp_path)
    full = desk.model_copy(update={"backup_least_free": 10**15})
    failed = drill(full)["sqlite"].failed
    assert failed is not None
    assert "not tried" in failed
    assert "Make room" in failed


def test_a_disk_that_gets_full_is_said_and_emptied(desk: Settings, tmp_path: Path) -> None:
    back_up(desk, Kind.SQLITE, tmp_path)
    size = desk.database.stat().st_size // 2
    with small_disk(desk.backup_directory, size):
        failed = drill(desk)["sqlite"].failed
        assert failed is not None
        assert "make room" in failed.lower()
        assert left(desk) == []


def test_what_a_killed_drill_left_is_removed(desk: Settings, tmp_path: Path) -> None:
    of_before = desk.backup_directory / "drill-of-before"
    of_before.mkdir(parents=True)
    (of_before / DATABASE).touch()
    drill(desk)
    assert left(desk) == []


def packs(repository: Path) -> list[Path]:
    return sorted(path for path in (repository / "data").rglob("*") if path.is_file())


def forget_what_was_read(settings: Settings) -> None:
    """restic keeps what it read of a repository, and would read that."""
    shutil.rmtree(settings.backup_directory / "restic", ignore_errors=True)


def tried(
    settings: Settings, snapshot: Snapshot, good: Mapping[str, TableDigest], beside: Path
) -> str:
    """What a drill does, and by which part of it the damage was found."""
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        restic.restore(the(settings), snapshot.id, beside)
        prove(settings, Kind.SQLITE, beside, {})
    except BackupError as error:
        return f"restoring: {type(error).__name__}"
    except UnprovedError:
        return "proving"
    if table_digests(beside / DATABASE) != good:
        return "nobody noticed other rows"
    try:
        restic.check(the(settings), "1/1")
    except BackupError as error:
        return f"check: {type(error).__name__}"
    return "harmless"


@pytest.mark.thorough
def test_a_flipped_bit_in_a_pack_is_found_or_harmless(desk: Settings, tmp_path: Path) -> None:
    """By what a drill does: the newest restored, and all data read (in a week; here at once)."""
    snapshot = back_up(desk, Kind.SQLITE, tmp_path)
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    repository = tmp_path / "repository"
    good = table_digests(desk.database)
    found: Counter[str] = Counter()
    for _ in range(TRIALS):
        pack = chance.choice(packs(repository))
        raw = pack.read_bytes()
        at = chance.randrange(len(raw))
        turned = bytearray(raw)
        turned[at] ^= 1 << chance.randrange(8)
        pack.chmod(0o600)
        pack.write_bytes(turned)
        forget_what_was_read(desk)
        found[tried(desk, snapshot, good, tmp_path / "beside")] += 1
        pack.write_bytes(raw)
    print(dict(found))
    assert sum(found.values()) == TRIALS
    assert "nobody noticed other rows" not in found
    # Nothing in a pack is without use: each bit of it is found.
    assert not found["harmless"]
    assert set(found) <= {"restoring: DamagedError", "check: DamagedError", "proving"}
    forget_what_was_read(desk)
    assert not any(one.failed for one in drill(desk).values())

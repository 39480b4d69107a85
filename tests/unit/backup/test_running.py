"""What is due gets into each repository: real restic, real Redis, a clock that jumps."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import time_machine

from app.backup import restic, running
from app.backup.kinds import Kind
from app.backup.locking import locked
from app.backup.running import back_up, back_up_due
from app.backup.state import read_state
from app.leading import Role, Standing, keep, standing_file
from app.settings import Settings
from app.store.database import open_database
from tests.support.processes import redis_server
from tests.support.small_disk import small_disk
from tests.unit.backup.test_due import OF_TWO
from tests.unit.work.conftest import settings

# restic takes half a second for each of its steps.
pytestmark = pytest.mark.thorough
# A repository that can't be reached: nobody answers by this program.
GONE = "rclone:gone"


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as (_, url):
        client = redis.Redis.from_url(url)
        client.config_set("repl-diskless-sync-delay", 0)
        client.set("job", "1")
        yield url


@pytest.fixture
def given(tmp_path: Path, redis_url: str) -> dict[str, Any]:
    """Settings of a machine that leads alone, with logs and configuration."""
    for name in ("log", "etc"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    return {
        "redis_url": redis_url,
        "log_dir": tmp_path / "log",
        "backup_configuration": str(tmp_path / "etc"),
        "backup_repositories": f"{tmp_path}/first",
        "backup_key": "invented-backup-key",
        "backup_ssh": "false",
        "backup_least_free": 0,
    }


def lead(found: Settings) -> Settings:
    open_database(found.database).close_all()
    return found


def kept(found: Settings, address: str) -> list[tuple[str, str]]:
    """Kinds and hosts of all snapshots of a repository."""
    there = restic.snapshots(restic.repository(found, address))
    return sorted((one.kind.value, one.host) for one in there)


def test_what_is_due_by_the_clock_is_backed_up_and_what_was_slept_through_too(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    found = lead(settings(tmp_path, **given))
    all_kinds = {Kind.SQLITE, Kind.REDIS, Kind.LOGS, Kind.CONFIGURATION}
    with time_machine.travel(datetime(2026, 11, 24, 12, 0, tzinfo=UTC)) as clock:

        def due_after(**later: int) -> set[Kind]:
            clock.shift(timedelta(**later))
            done = back_up_due(found)
            assert not [one for one in done if one.failed]
            return {one.kind for one in done}

        assert due_after() == all_kinds
        assert due_after(minutes=1) == set()
        assert due_after(minutes=4) == {Kind.REDIS}
        assert due_after(minutes=5) == {Kind.REDIS}
        assert due_after(minutes=5) == {Kind.REDIS, Kind.SQLITE}
        # The lid was closed over a night and a day.
        assert due_after(hours=30) == all_kinds
    counted = [kind for kind, _ in kept(found, f"{tmp_path}/first")]
    assert {kind: counted.count(kind) for kind in counted} == {
        "sqlite": 3,
        "redis": 5,
        "logs": 2,
        "configuration": 2,
    }
    assert not list(found.backup_directory.glob("staged-*"))


def test_each_repository_gets_all_and_it_is_noted_by_the_id_that_it_has_there(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    given["backup_repositories"] = f"{tmp_path}/first, {tmp_path}/second"
    found = lead(settings(tmp_path, **given))
    assert not [one for one in back_up_due(found) if one.failed]
    noted = read_state(found.backup_directory)
    for address in found.repositories:
        snapshots = restic.snapshots(restic.repository(found, address))
        assert len(snapshots) == 4
        for one in snapshots:
            made = noted.of(one.kind, address).made
            assert made is not None
            assert (made.snapshot, made.at.replace(microsecond=0)) == (one.id, one.at)


def test_what_was_backed_up_is_what_was_there(tmp_path: Path, given: dict[str, Any]) -> None:
    found = lead(settings(tmp_path, **given))
    repository = restic.repository(found, found.repositories[0])
    for attempt in back_up_due(found):
        if attempt.address == repository.address and attempt.made:
            restic.restore(repository, attempt.made.snapshot, tmp_path / "back" / attempt.kind)
    back = tmp_path / "back"
    files = sorted(str(path.relative_to(back)) for path in back.rglob("*") if path.is_file())
    etc = str(tmp_path / "etc/file").removeprefix("/")
    assert files == sorted(
        [
            *(f"configuration/{etc}", "configuration/manifest.json", "logs/file"),
            *("redis/dump.rdb", "redis/manifest.json"),
            *("sqlite/manifest.json", "sqlite/portiere.db"),
        ]
    )
    assert (back / "logs/file").read_text() == "log"


def test_a_repository_that_is_gone_holds_no_other_up(
    tmp_path: Path, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given["backup_repositories"] = f"{GONE},{tmp_path}/first"
    found = lead(settings(tmp_path, **given))
    asked: list[str] = []
    real = restic.back_up

    def counted(repository: restic.Repository, *rest: Any) -> restic.Snapshot:
        asked.append(repository.address)
        return real(repository, *rest)

    monkeypatch.setattr(restic, "back_up", counted)
    done = back_up_due(found)
    assert {one.address for one in done if one.made} == {f"{tmp_path}/first"}
    assert {one.kind for one in done if one.failed} == {one.kind for one in done if one.made}
    # That it is gone was found out once.
    assert asked.count(GONE) == 1
    state = read_state(found.backup_directory)
    failed = state.of(Kind.SQLITE, GONE)
    assert failed.made is None
    assert failed.failed is not None
    assert "PORTIERE_BACKUP_SSH" in failed.failed
    assert state.of(Kind.SQLITE, f"{tmp_path}/first").failed is None


def test_a_key_that_is_not_the_repositorys_is_said_and_a_good_one_ends_it(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    found = settings(tmp_path, **given)
    first = found.repositories[0]
    back_up(found, {Kind.REDIS: [first]})
    before = read_state(found.backup_directory).of(Kind.REDIS, first)
    other = settings(tmp_path, **{**given, "backup_key": "another"})
    (attempt,) = back_up(other, {Kind.REDIS: [first]})
    assert attempt.failed is not None
    assert "PORTIERE_BACKUP_KEY" in attempt.failed
    assert "another" not in (found.backup_directory / "state.json").read_text()
    failed = read_state(found.backup_directory).of(Kind.REDIS, first)
    assert (failed.made, failed.failing_since) == (before.made, failed.failed_at)
    back_up(other, {Kind.REDIS: [first]})
    again = read_state(found.backup_directory).of(Kind.REDIS, first)
    assert again.failing_since == failed.failing_since
    back_up(found, {Kind.REDIS: [first]})
    assert read_state(found.backup_directory).of(Kind.REDIS, first).failed is None


def test_a_repository_that_was_there_and_is_gone_is_not_made_anew(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    given["backup_repositories"] = f"{tmp_path}/first, {tmp_path}/second"
    found = settings(tmp_path, **given)
    back_up(found, {Kind.LOGS: found.repositories})
    (tmp_path / "first").rename(tmp_path / "stolen")
    first, second = back_up(found, {Kind.LOGS: found.repositories})
    assert second.made
    assert first.failed is not None
    assert "is gone" in first.failed
    assert not (tmp_path / "first").exists()


def test_what_can_not_be_put_together_holds_nothing_else_up(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    # No database there, as on a machine that never led.
    found = settings(tmp_path, **given)
    done = back_up_due(found)
    assert {one.kind for one in done if one.failed} == {Kind.SQLITE}
    assert {one.kind for one in done if one.made} == {Kind.REDIS, Kind.LOGS, Kind.CONFIGURATION}
    assert not list(found.backup_directory.glob("staged-*"))


def test_leader_and_standby_each_back_up_what_is_theirs(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    """Two machines with one repository; then the lead changes."""
    hosts = {}
    for name, other in (("mac", "vps"), ("vps", "mac")):
        (tmp_path / name).mkdir()
        hosts[name] = settings(
            tmp_path / name,
            **{**given, **OF_TWO, "node_name": name, "ha_peer": other},
        )
    mac, vps = lead(hosts["mac"]), hosts["vps"]
    keep(standing_file(mac), Standing(Role.LEADER, 1, "mac"))
    keep(standing_file(vps), Standing(Role.STANDBY, 1, "mac"))
    for host in (mac, vps):
        assert not [one for one in back_up_due(host) if one.failed]
    own = [("configuration", "mac"), ("configuration", "vps"), ("logs", "mac"), ("logs", "vps")]
    desk = [("redis", "mac"), ("sqlite", "mac")]
    assert kept(mac, f"{tmp_path}/first") == sorted([*own, *desk])
    mac.database.rename(vps.database)
    keep(standing_file(mac), Standing(Role.STANDBY, 2, "vps"))
    keep(standing_file(vps), Standing(Role.LEADER, 2, "vps"))
    for host in (mac, vps):
        assert not [one for one in back_up_due(host) if one.failed]
    desk += [("redis", "vps"), ("sqlite", "vps")]
    assert kept(mac, f"{tmp_path}/first") == sorted([*own, *desk])


def test_the_lead_that_goes_meanwhile_takes_the_desks_backup_with_it(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    found = lead(settings(tmp_path, **given, **OF_TWO))
    keep(standing_file(found), Standing(Role.STANDBY, 2, "vps"))
    done = back_up(found, {Kind.SQLITE: found.repositories, Kind.LOGS: found.repositories})
    assert {one.kind for one in done} == {Kind.LOGS}


def test_the_clouds_snapshot_is_stored_once_until_there_is_another(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    given["backup_cloud_snapshot"] = tmp_path / "cloud"
    found = settings(tmp_path, **given)
    (tmp_path / "cloud").write_bytes(b"PGDMP invented")
    wanted = {Kind.CLOUD: found.repositories}
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2)):
        (attempt,) = back_up(found, wanted)
        assert attempt.made is not None
        assert not back_up(found, wanted)
        (tmp_path / "cloud").write_bytes(b"PGDMP of the next day")
        (attempt,) = back_up(found, wanted)
        assert attempt.made is not None


def test_a_full_disk_is_said_and_what_was_there_stays(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    first = f"{tmp_path}/first"
    with small_disk(tmp_path / "small", 12_000_000) as small:
        found = settings(small, **{**given, "backup_repositories": f"{small}/small,{first}"})
        database = open_database(found.database)
        database.connection.execute("CREATE TABLE filler (bytes BLOB)")
        back_up(found, {Kind.SQLITE: found.repositories})
        with database.transaction() as connection:
            connection.execute("INSERT INTO filler VALUES (randomblob(3000000))")
        database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        done = {one.address: one for one in back_up(found, {Kind.SQLITE: found.repositories})}
        # Room for the copy and for no second one in the repository beside it.
        failed = done[f"{small}/small"].failed
        assert failed is not None
        assert "make room" in failed.lower()
        assert done[first].made
        noted = read_state(found.backup_directory).of(Kind.SQLITE, f"{small}/small")
        assert noted.made is not None
        assert noted.failed
        assert not list(found.backup_directory.glob("staged-*"))
        with database.transaction() as connection:
            connection.execute("INSERT INTO filler VALUES (1)")
        database.close_all()
        repository = restic.repository(found, f"{small}/small")
        assert [one.kind for one in restic.snapshots(repository)].count(Kind.SQLITE) == 1


def test_who_comes_second_waits(tmp_path: Path) -> None:
    entered, leave, waits = threading.Event(), threading.Event(), threading.Event()
    order: list[str] = []

    def first() -> None:
        with locked(tmp_path / "backup"):
            entered.set()
            leave.wait()
            order.append("first")

    def second() -> None:
        with locked(tmp_path / "backup", waits.set):
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    entered.wait()
    threads[1].start()
    assert waits.wait(10)
    leave.set()
    for thread in threads:
        thread.join()
    assert order == ["first", "second"]


def test_what_a_killed_run_left_over_is_removed_once_nobody_can_be_reading_it(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    found = settings(tmp_path, **given)
    old, young = (found.backup_directory / f"staged-{name}" for name in ("old", "young"))
    for left in (old, young):
        left.mkdir(parents=True)
        (left / "portiere.db").write_text("guests")
    long_ago = (datetime.now(UTC) - running._LEFT_OVER * 2).timestamp()
    os.utime(old, (long_ago, long_ago))
    back_up(found, {})
    assert not old.exists()
    assert young.exists()


def test_no_secret_stands_on_a_command_line(
    tmp_path: Path, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = settings(tmp_path, **given)
    commands: list[Any] = []
    real = subprocess.Popen.__init__

    def seen(self: Any, command: Any, *rest: Any, **named: Any) -> None:
        commands.append(command)
        real(self, command, *rest, **named)

    monkeypatch.setattr(subprocess.Popen, "__init__", seen)
    back_up(found, {Kind.REDIS: found.repositories})
    said = json.dumps(commands, default=str)
    # Redis, its check, restic.
    assert len(commands) >= 3
    assert "invented-backup-key" not in said
    assert "invented-redis-password" not in said

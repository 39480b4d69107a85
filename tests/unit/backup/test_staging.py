"""What a snapshot is of is put together whole, while the desk goes on: real SQLite, real Redis."""

import os
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from app.backup import redis_fetching, staging
from app.backup.kinds import Kind
from app.backup.redis_fetching import RedisFetchError, check_rdb, fetch_rdb
from app.backup.soundness import check_database
from app.backup.staging import StagingError, stage
from app.ha import redis_roles
from app.ha.redis_roles import RedisRole
from app.settings import Settings
from app.store.database import open_database
from tests.support.processes import eventually, redis_server
from tests.support.small_disk import small_disk
from tests.unit.work.conftest import settings

INSERT = "INSERT INTO marks (n) VALUES (?)"


@pytest.fixture
def to(tmp_path: Path) -> Path:
    made = tmp_path / "staged"
    made.mkdir()
    return made


@pytest.fixture
def desk(tmp_path: Path) -> Settings:
    """Settings of a desk whose database is there, with a table for marks."""
    found = settings(tmp_path)
    database = open_database(found.database)
    database.connection.execute("CREATE TABLE marks (n INTEGER PRIMARY KEY, filler TEXT)")
    database.close_all()
    return found


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[tuple[Settings, "redis.Redis"]]:
    """A desk whose Redis is there, and that Redis."""
    with redis_server(tmp_path) as (_, url):
        client = redis.Redis.from_url(url)
        # Else Redis waits five seconds for others that want a snapshot as well.
        client.config_set("repl-diskless-sync-delay", 0)
        yield settings(tmp_path, redis_url=url), client


def rows(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [n for (n,) in connection.execute("SELECT n FROM marks ORDER BY n")]


@contextmanager
def writing(found: Settings, threads: int = 3) -> Iterator[list[int]]:
    """Threads that write for as long as the block lasts; what was committed, in that order."""
    database = open_database(found.database)
    stopping, committed, lock = threading.Event(), list[int](), threading.Lock()

    def write(first: int) -> None:
        n = first
        while not stopping.is_set():
            with database.transaction() as connection:
                connection.execute(INSERT, (n,))
            with lock:
                committed.append(n)
            n += threads

    running = [threading.Thread(target=write, args=(one,)) for one in range(threads)]
    for thread in running:
        thread.start()
    try:
        eventually(lambda: len(committed) > 20, "they write")
        yield committed
    finally:
        stopping.set()
        for thread in running:
            thread.join()
        database.close_all()


def see_more_of(committed: list[int]) -> None:
    seen = len(committed)
    eventually(lambda: len(committed) > seen, "writers go on")


def test_a_copy_has_all_that_was_committed_before_and_is_one_whole_file(
    desk: Settings, tmp_path: Path
) -> None:
    for number in range(10):
        to = tmp_path / f"staged-{number}"
        to.mkdir()
        with writing(desk) as committed:
            before = list(committed)
            asked = datetime.now(UTC)
            at = stage(desk, Kind.SQLITE, to)
            after = datetime.now(UTC)
            see_more_of(committed)
        assert asked <= at <= after
        found = rows(to / "portiere.db")
        assert set(before) <= set(found)
        # Of each writer all up to some moment: no hole.
        for one in range(3):
            mine = [n for n in found if n % 3 == one]
            assert mine == list(range(one, one + 3 * len(mine), 3))
        assert {path.name for path in to.iterdir()} == {"portiere.db", "manifest.json"}
        assert (to / "portiere.db").stat().st_mode & 0o777 == 0o600
        check_database(to / "portiere.db", desk)
        with open_database(desk.database).transaction() as connection:
            connection.execute("DELETE FROM marks")


def test_a_standby_has_no_database_to_copy_and_gets_none(tmp_path: Path, to: Path) -> None:
    found = settings(tmp_path)
    with pytest.raises(StagingError, match="doesn't lead"):
        stage(found, Kind.SQLITE, to)
    assert not found.database.exists()


def test_a_corrupt_database_is_not_taken_for_a_backup(desk: Settings, to: Path) -> None:
    with closing(sqlite3.connect(desk.database)) as connection:
        connection.executemany(
            "INSERT INTO marks (n, filler) VALUES (?, ?)", ((n, "x" * 2000) for n in range(500))
        )
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = desk.database.stat().st_size
    with desk.database.open("r+b") as file:
        for page in range(60, 120):
            file.seek(page * 4096)
            file.write(os.urandom(4096))
    assert desk.database.stat().st_size == size
    with pytest.raises(StagingError, match=r"corrupt.*older backups are kept"):
        stage(desk, Kind.SQLITE, to)


def test_a_disk_that_is_too_small_is_said_before_it_is_full(desk: Settings, tmp_path: Path) -> None:
    with closing(sqlite3.connect(desk.database)) as connection:
        connection.execute("INSERT INTO marks VALUES (-1, ?)", ("x" * 2_000_000,))
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with small_disk(tmp_path / "small", 2_000_000) as small:
        with pytest.raises(StagingError, match=r"no room.*bytes are to be copied.*Make room"):
            stage(desk, Kind.SQLITE, small)
        assert not list(small.iterdir())


def test_a_disk_that_gets_full_midway_is_said_and_the_database_goes_on(
    desk: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if another program took what was free a moment ago.
    monkeypatch.setattr(staging, "_see_room", lambda *_: None)
    with closing(sqlite3.connect(desk.database)) as connection:
        connection.execute("INSERT INTO marks VALUES (-1, ?)", ("x" * 3_000_000,))
        connection.commit()
    with small_disk(tmp_path / "small", 1_000_000) as small, writing(desk) as committed:
        with pytest.raises(StagingError, match=r"no room.*Make room"):
            stage(desk, Kind.SQLITE, small)
        see_more_of(committed)
    check_database(desk.database, desk)


def test_redis_is_fetched_while_it_is_written_to(
    queue: tuple[Settings, "redis.Redis"], to: Path
) -> None:
    found, client = queue
    for n in range(2000):
        client.set(f"before:{n}", n)
    stopping = threading.Event()

    def write() -> None:
        mine, n = redis.Redis.from_url(found.redis_url.get_secret_value()), 0
        while not stopping.is_set():
            mine.set(f"meanwhile:{n}", n)
            n += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        stage(found, Kind.REDIS, to)
    finally:
        stopping.set()
        thread.join()
    assert loaded(to / "dump.rdb", to) >= {f"before:{n}" for n in range(2000)}
    # No file of Redis's own was made for it.
    assert not (found.database.parent / "dump.rdb").exists()


def loaded(rdb: Path, place: Path) -> set[str]:
    """The keys that another Redis has, once it has read the file."""
    socket = place / "r.sock"
    server = subprocess.Popen(
        ["redis-server", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert server.stdin is not None
    server.stdin.write(
        f"port 0\nunixsocket {socket}\ndir {rdb.parent}\ndbfilename {rdb.name}\nsave ''\n"
    )
    server.stdin.close()
    try:
        client = redis.Redis(unix_socket_path=str(socket))
        eventually(lambda: answers(client), "it has loaded the file")
        return {key.decode() for key in client.scan_iter(count=1000)}
    finally:
        server.kill()
        server.wait()


def answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def test_a_snapshot_that_redis_can_not_finish_is_a_failure(
    queue: tuple[Settings, "redis.Redis"], to: Path
) -> None:
    found, client = queue
    for n in range(2000):
        client.set(f"before:{n}", "x" * 1000)
    # Slow enough for its child to be killed in the middle, as the kernel does without memory.
    client.config_set("rdb-key-save-delay", 2000)
    failed: list[str] = []

    def fetch() -> None:
        try:
            stage(found, Kind.REDIS, to)
        except StagingError as error:
            failed.append(str(error))

    thread = threading.Thread(target=fetch)
    thread.start()
    eventually(lambda: (to / "dump.rdb").exists() and (to / "dump.rdb").stat().st_size > 0, "began")
    children = Path(f"/proc/{client.info('server')['process_id']}/task")
    (child,) = {
        int(n) for one in children.iterdir() for n in (one / "children").read_text().split()
    }
    os.kill(child, signal.SIGKILL)
    thread.join()
    assert failed
    assert "Redis sent no snapshot" in failed[0]
    assert not list(to.iterdir())
    assert client.ping()
    client.config_set("rdb-key-save-delay", 0)  # it saves once more as it ends


def test_a_line_that_is_silent_is_given_up(queue: tuple[Settings, "redis.Redis"], to: Path) -> None:
    found, client = queue
    pid = client.info("server")["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(RedisFetchError, match="took longer than"):
            fetch_rdb(found, to / "dump.rdb", timedelta(seconds=0.5))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert not list(to.iterdir())


def test_redis_that_is_not_there_or_lets_nobody_in_is_said_with_a_remedy(
    queue: tuple[Settings, "redis.Redis"], to: Path, tmp_path: Path
) -> None:
    found, client = queue
    url = found.redis_url.get_secret_value()
    wrong = settings(tmp_path, redis_url=url.replace("invented", "wrong"))
    with pytest.raises(StagingError, match="PORTIERE_REDIS_URL"):
        stage(wrong, Kind.REDIS, to)
    # As on the hosts: the user of copies asks, and may do nothing else.
    allowed = ["+psync", "+replconf", "+ping"]
    client.acl_setuser("replica", enabled=True, passwords=["+word"], commands=allowed)
    of_two = settings(tmp_path, redis_url=url, ha_redis_password="word")
    with pytest.raises(StagingError, match=r"\+sync"):
        stage(of_two, Kind.REDIS, to)
    client.acl_setuser("replica", enabled=True, commands=["+sync"])
    stage(of_two, Kind.REDIS, to)
    (to / "dump.rdb").unlink()
    (to / "manifest.json").unlink()
    nobody = settings(tmp_path, redis_url="redis://127.0.0.1:9/0")
    with pytest.raises(StagingError, match="See that Redis runs"):
        stage(nobody, Kind.REDIS, to)
    assert not list(to.iterdir())


def test_the_password_stands_on_no_command_line(
    queue: tuple[Settings, "redis.Redis"], to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = queue
    commands: list[list[str]] = []
    real = redis_fetching._run

    def seen(command: list[str], *rest: object) -> object:
        commands.append(command)
        return real(command, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(redis_fetching, "_run", seen)
    stage(found, Kind.REDIS, to)
    assert len(commands) == 2
    assert "invented-redis-password" not in str(commands)


def test_a_file_that_was_cut_short_or_flipped_is_not_kept(
    queue: tuple[Settings, "redis.Redis"], to: Path
) -> None:
    found, client = queue
    for n in range(100):
        client.set(f"key:{n}", os.urandom(100))
    stage(found, Kind.REDIS, to)
    rdb = to / "dump.rdb"
    whole = rdb.read_bytes()
    check_rdb(rdb)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for damaged in (whole[:-1], whole[: len(whole) // 2], b"", bytes(flipped)):
        rdb.write_bytes(damaged)
        with pytest.raises(RedisFetchError, match="not whole"):
            check_rdb(rdb)


def test_who_takes_a_snapshot_is_not_taken_for_a_copy_in_step(
    queue: tuple[Settings, "redis.Redis"], to: Path
) -> None:
    found, client = queue
    for n in range(2000):
        client.set(f"before:{n}", n)
    client.config_set("rdb-key-save-delay", 200)
    thread = threading.Thread(target=stage, args=(found, Kind.REDIS, to))
    thread.start()
    seen = [redis_roles.state(client)]
    while thread.is_alive():
        seen.append(redis_roles.state(client))
    assert {(one.role, one.link_up) for one in seen} == {(RedisRole.PRIMARY, False)}
    assert (to / "dump.rdb").exists()


def test_logs_are_all_there_even_those_that_are_rotated_meanwhile(tmp_path: Path, to: Path) -> None:
    logs = tmp_path / "log"
    logs.mkdir()
    for name in ("gateway.log", "gateway.log.1", "worker.log"):
        (logs / name).write_text(name)
    (logs / "link").symlink_to("/etc/passwd")
    stage(settings(tmp_path, log_dir=logs), Kind.LOGS, to)
    (logs / "gateway.log.1").unlink()
    (logs / "gateway.log").rename(logs / "gateway.log.1")
    kept = {path.name: path.read_text() for path in to.iterdir()}
    assert kept == {name: name for name in ("gateway.log", "gateway.log.1", "worker.log")}


def test_configuration_is_kept_by_its_paths_and_what_is_missing_is_said(
    tmp_path: Path, to: Path
) -> None:
    etc = tmp_path / "etc"
    (etc / "deep").mkdir(parents=True)
    (etc / "portiere.env").write_text("PORTIERE_X=1")
    (etc / "deep/property.yml").write_text("name: Invented")
    (etc / "deep/current").symlink_to("property.yml")
    os.mkfifo(etc / "pipe")
    one = etc / "portiere.env"
    found = settings(tmp_path, backup_configuration=f"{etc}, {one}")
    stage(found, Kind.CONFIGURATION, to)
    root = to / str(etc).removeprefix("/")
    assert sorted(path.name for path in root.rglob("*")) == [
        *("current", "deep", "portiere.env", "property.yml")
    ]
    assert (root / "deep/current").readlink() == Path("property.yml")
    missing = settings(tmp_path, backup_configuration=f"{one},{tmp_path}/nothing")
    with pytest.raises(StagingError, match=r"nothing isn't there.*PORTIERE_BACKUP_CONFIGURATION"):
        stage(missing, Kind.CONFIGURATION, to)


def test_the_clouds_snapshot_is_checked_and_is_from_when_it_was_made(
    tmp_path: Path, to: Path
) -> None:
    path = tmp_path / "cloud.snapshot"
    found = settings(tmp_path, backup_cloud_snapshot=path)
    with pytest.raises(StagingError, match="portiere cloud snapshot --to"):
        stage(found, Kind.CLOUD, to)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE runs (id INTEGER)")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    os.utime(path, (yesterday.timestamp(), yesterday.timestamp()))
    assert abs(stage(found, Kind.CLOUD, to) - yesterday) < timedelta(seconds=1)
    (to / "cloud-snapshot").unlink()
    path.write_bytes(path.read_bytes()[:4096])
    with pytest.raises(StagingError, match=r"corrupt|can't be checked"):
        stage(found, Kind.CLOUD, to)
    (to / "cloud-snapshot").unlink()
    path.write_bytes(b"PGDMP and so on")
    stage(found, Kind.CLOUD, to)
    (to / "cloud-snapshot").unlink()
    path.write_bytes(b"an error page")
    with pytest.raises(StagingError, match="no snapshot of a store"):
        stage(found, Kind.CLOUD, to)

"""``portiere restore`` on two whole machines: to each point, from nothing at all, and refused."""

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from app.backup.staging import DATABASE
from app.messages import leading
from app.store.database import connect, open_copy
from tests.support.both_machines import BothMachines, Host, both_machines, key
from tests.support.processes import eventually
from tests.support.restored import (
    back_up,
    back_up_database,
    back_up_queue,
    copy_of,
    killed_at,
    mark,
    marks,
    restore,
    with_backups,
    written,
)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[BothMachines]:
    with both_machines(tmp_path, **with_backups(tmp_path)) as found:
        found.start()
        yield found


def term(host: Host) -> leading.Term:
    """The newest term of its database."""
    with closing(open_copy(host.database)) as connection:
        return leading.terms(connection, 1)[0]


def how(host: Host) -> str:
    """How it began."""
    return term(host).how


def a_second() -> None:
    """Marks are a second apart and more: what Litestream can tell apart."""
    time.sleep(1.2)


def test_each_mark_is_gone_back_to_and_shows_just_what_was_there(
    pair: BothMachines, tmp_path: Path
) -> None:
    mac, moments = pair.mac, []
    for code in ("a", "b", "c"):
        mark(mac, code)
        a_second()
        moments.append(datetime.now(UTC))
        if code == "b":
            snapshot = back_up_database(mac, tmp_path / "staged")
        a_second()
    key_of = mac.post("A che ora è la colazione?")
    eventually(lambda: pair.replies()[key_of] == 1, "it is answered")

    plan = restore(mac, "--check", "--point", written(moments[1]))
    assert plan.code == 0, plan.out
    assert "1 changed bookings" in plan.out
    assert "1 guests' messages" in plan.out
    assert marks(mac) == ["a", "b", "c"]

    for moment, there in zip(moments[::-1], ("abc", "ab", "a"), strict=True):
        said = restore(mac, "--point", written(moment))
        assert said.code == 0, said.out
        assert marks(mac) == list(there)
        assert how(mac) == "restored"
        eventually(pair.vps.is_ready, "the other follows the new term")

    said = restore(mac, "--point", snapshot.id[:10], "--no-replay")
    assert said.code == 0, said.out
    assert marks(mac) == ["a", "b"]
    said = restore(mac)
    assert said.code == 0, said.out
    assert marks(mac) == ["a", "b"]
    late = pair.vps.post("Is there a car park?")
    eventually(lambda: pair.replies()[late] == 1, "it answers")
    assert pair.replies()[key_of] == 1


def test_from_nothing_at_all_with_the_other_machine_gone(
    pair: BothMachines, tmp_path: Path
) -> None:
    early = pair.mac.post("A che ora è la colazione?")
    eventually(lambda: pair.replies()[early] == 1, "it is answered")
    mark(pair.mac, "a")
    back_up_database(pair.mac, tmp_path / "staged")
    mark(pair.mac, "b")
    a_second()
    pair.cloud.kill()
    pair.vps.power_off()
    pair.mac.power_off()
    shutil.rmtree(pair.mac.directory / "data")
    pair.mac.start()
    eventually(pair.mac.reaches_nobody, "its node looks for the authority in vain")
    waiting = pair.mac.post("Is there a car park?", phone="+390000000002")
    assert pair.mac.ha("failover", "--force", "--yes") == 1

    said = restore(pair.mac)
    assert said.code == 1
    assert "--force" in said.out
    said = restore(pair.mac, "--force")
    assert said.code == 0, said.out
    assert marks(pair.mac) == ["a", "b"]
    eventually(lambda: pair.replies()[waiting] == 1, "what came meanwhile is answered")

    pair.start_cloud()
    pair.vps.start()
    eventually(pair.vps.is_ready, "the other follows")
    assert pair.mac.leads()
    assert pair.replies()[early] == 1


def test_a_lost_disk_while_nobody_may_take_over(pair: BothMachines) -> None:
    assert pair.vps.ha("pause", "--reason", "the electrician is here") == 0
    early = pair.mac.post("A che ora è la colazione?")
    eventually(lambda: pair.replies()[early] == 1, "it is answered")
    mark(pair.mac, "a")
    a_second()
    before = term(pair.mac).term
    pair.mac.power_off()
    shutil.rmtree(pair.mac.directory / "data")
    pair.mac.start()
    waiting = pair.mac.post("Is there a car park?", phone="+390000000002")

    said = restore(pair.mac)

    assert said.code == 0, said.out
    assert marks(pair.mac) == ["a"]
    assert term(pair.mac).term > before
    eventually(lambda: pair.replies()[waiting] == 1, "what came meanwhile is answered")
    eventually(pair.vps.is_ready, "the other follows")
    assert pair.replies()[early] == 1


def test_what_is_refused_changes_nothing(pair: BothMachines, tmp_path: Path) -> None:
    mac, before = pair.mac, how(pair.mac)
    mark(mac, "a")
    a_second()

    def refused(host: Host, *words: str, env: dict[str, str] | None = None) -> str:
        said = restore(host, *words, env=env)
        assert said.code == 1, said.out
        assert marks(mac) == ["a"]
        assert how(mac) == before
        assert mac.leads()
        return said.out

    assert "portiere restore, on mac" in refused(pair.vps)
    assert "oldest is from" in refused(mac, "--point", "2020-01-01 10:00")
    assert "still to come" in refused(mac, "--point", "2120-01-01 10:00")
    assert "portiere backup list" in refused(mac, "--point", "0123abcd")
    other = {"PORTIERE_SEAL_KEYS": f"k1:{key('z')}"}
    mac.post("A che ora è la colazione?")
    eventually(lambda: sum(pair.replies().values()) == 1, "it is answered")
    assert "PORTIERE_SEAL_KEYS" in refused(mac, env=other)

    newer = copy_of(mac, tmp_path / "newer" / DATABASE)
    with closing(connect(newer)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('portiere', 'of_next_year', '2027')"
        )
    of_newer = back_up(mac, newer.parent)
    assert "newer release" in refused(mac, "--point", of_newer.id)
    damaged = copy_of(mac, tmp_path / "damaged" / DATABASE)
    raw = bytearray(damaged.read_bytes())
    raw[8192:16384] = b"\xff" * 8192
    damaged.write_bytes(raw)
    of_damaged = back_up(mac, damaged.parent)
    assert "is damaged" in refused(mac, "--point", of_damaged.id)
    backup_key = {"PORTIERE_BACKUP_KEY": "another key"}
    assert "PORTIERE_BACKUP_KEY" in refused(mac, "--point", of_newer.id, env=backup_key)

    mac.node.stop()
    eventually(mac.is_silent, "what it saw is old")
    said = restore(mac)
    assert said.code == 1
    assert "doesn't run" in said.out
    mac.node.start()
    eventually(mac.leads, "it leads on")
    assert marks(mac) == ["a"]


def test_cut_short_crowded_out_or_without_room_the_next_try_works(
    pair: BothMachines, tmp_path: Path
) -> None:
    mac = pair.mac
    mark(mac, "a")
    a_second()
    with (mac.directory / "data/ha/restore.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = restore(mac)
    assert said.code == 1
    assert "Another restore is under way" in said.out
    said = restore(mac, most=60_000)
    assert said.code == 1
    assert "Make room" in said.out
    killed_at(mac, "fetching")
    assert mac.leads()
    assert how(mac) == "first"

    said = restore(mac)
    assert said.code == 0, said.out
    assert marks(mac) == ["a"]
    assert not (mac.directory / "data/ha/restored").exists()


def test_the_queue_alone(pair: BothMachines, tmp_path: Path) -> None:
    with redis.Redis.from_url(pair.mac.redis_url) as client:
        client.set("of-then", "1")
        back_up_queue(pair.mac, tmp_path / "staged")
        client.delete("of-then")
        client.set("of-now", "1")
        before = term(pair.mac)

        said = restore(pair.mac, "--what", "redis")

        assert said.code == 0, said.out
        assert client.get("of-then") == b"1"
        assert client.get("of-now") is None
    assert term(pair.mac) == before
    key = pair.vps.post("A che ora è la colazione?")
    eventually(lambda: pair.replies()[key] == 1, "it answers")

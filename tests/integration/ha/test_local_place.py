"""A standby that reaches the place by SFTP only: what it follows is brought to it."""

import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from app.ha import following, restoring
from app.store.database import open_database
from tests.integration.ha.conftest import SOON, Pair, beats, forget_history, pid
from tests.support.processes import eventually
from tests.support.sftp import SftpServer
from tests.support.writing import committed, write_some, written


@pytest.fixture
def followed(turned: Pair) -> Pair:
    """The VPS leads, and the Mac has its first beats."""
    write_some(turned.writer, 1)
    turned.replicating.start(1)
    turned.following.start(1)
    eventually(lambda: beats(turned), "it follows")
    return turned


def server(pair: Pair) -> SftpServer:
    assert pair.sftp is not None
    return pair.sftp


def pieces_here(pair: Pair) -> list[Path]:
    return list((pair.standby.ha_directory / "local").rglob("*.ltx"))


def copy(pair: Pair) -> Path:
    found = pair.following.copy()
    assert found is not None
    return found


def catch_up(pair: Pair) -> None:
    """Wait until it has what is written by now."""
    now = len(committed(pair.writer))
    eventually(lambda: beats(pair) >= now, "the newest is there")


def is_whole(pair: Pair) -> bool:
    """Whether nothing is missing in the copy up to its newest row."""
    found = copy(pair)
    pair.following.stop(SOON)
    rows = written(found)
    return restoring.usable(found) and rows == list(range(1, len(rows) + 1))


def test_it_sees_each_beat_and_keeps_no_piece_that_the_copy_has(followed: Pair) -> None:
    for _ in range(3):
        catch_up(followed)
    followed.writer.kill()
    synced = followed.replicating.sync(SOON)
    eventually(lambda: (followed.following.txid() or 0) >= synced.txid, "it has all")
    followed.tend()
    assert pieces_here(followed) == []
    assert is_whole(followed)
    assert not (followed.standby.ha_directory / "local").exists()


def test_an_empty_place_is_waited_for(turned: Pair) -> None:
    turned.following.start(1)
    local = turned.standby.ha_directory / "local"
    eventually(lambda: list(local.glob("*.yml")), "it asks")
    turned.tend()
    assert (turned.following.copy(), turned.following.is_alive()) == (None, False)
    write_some(turned.writer, 1)
    turned.replicating.start(1)
    catch_up(turned)


def test_after_a_cut_line_it_goes_on_with_the_same_copy(followed: Pair) -> None:
    before = copy(followed)
    server(followed).process.kill()
    now = len(committed(followed.writer))
    eventually(lambda: len(committed(followed.writer)) > now + 50, "work goes on")
    assert beats(followed) < len(committed(followed.writer))
    server(followed).start()
    catch_up(followed)
    assert copy(followed) == before
    assert is_whole(followed)


def test_a_line_that_is_cut_while_it_fetches_costs_nothing_but_time(turned: Pair) -> None:
    write_some(turned.writer, 5)
    fill(turned, megabytes=40)
    turned.replicating.start(1)
    eventually(lambda: list(turned.place.rglob("ltx/9/*.ltx")), "there is a snapshot")
    turned.following.start(1)
    eventually(lambda: pieces_here(turned), "it fetches")
    server(turned).process.kill()
    server(turned).start()
    catch_up(turned)
    assert is_whole(turned)


def test_pieces_that_were_forgotten_meanwhile_are_a_reason_to_begin_anew(
    followed: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_STILL", (timedelta(seconds=0.5), timedelta(seconds=5)))
    followed.following.start(1)
    catch_up(followed)
    server(followed).process.kill()
    now = len(committed(followed.writer))
    eventually(lambda: len(committed(followed.writer)) > now + 50, "work goes on")
    followed.replicating.stop(SOON)
    forget_history(followed)
    followed.replicating.start(1)
    server(followed).start()
    catch_up(followed)
    assert is_whole(followed)


def test_litestream_killed_begins_anew_with_all(followed: Pair) -> None:
    before = copy(followed)
    os.kill(pid(followed, "following"), signal.SIGKILL)
    eventually(lambda: not followed.following.is_alive(), "it was killed")
    catch_up(followed)
    assert copy(followed) != before
    assert is_whole(followed)


def test_a_disk_that_takes_nothing_is_waited_for(turned: Pair) -> None:
    write_some(turned.writer, 1)
    turned.replicating.start(1)
    # A file where the directory is to be: as root, no permission would keep it from being made.
    local = turned.standby.ha_directory / "local"
    local.parent.mkdir(exist_ok=True)
    local.write_text("in the way")
    turned.following.start(1)
    turned.tend()
    assert turned.following.copy() is None
    local.unlink()
    catch_up(turned)


def test_a_restore_asks_for_large_parts_and_not_for_each_page(turned: Pair) -> None:
    """Litestream's own restore by SFTP reads three times for each page of 4,096 bytes."""
    write_some(turned.writer, 5)
    turned.writer.kill()
    fill(turned, megabytes=8)
    turned.replicating.start(1)
    eventually(lambda: list(turned.place.rglob("ltx/9/*.ltx")), "there is a snapshot")
    assert turned.replicating.sync(SOON).is_whole
    turned.replicating.stop(SOON)
    to = turned.standby.ha_directory / "restored.db"

    restoring.restore(turned.standby, 1, to)

    assert [path.name for path in to.parent.iterdir()] == [to.name]
    pages = to.stat().st_size // 4096
    assert pages > 2000
    assert 0 < server(turned).asked() < pages / 2
    assert written(to) == written(turned.leader.database)


def fill(pair: Pair, megabytes: int) -> None:
    """Write so much that can't be compressed."""
    database = open_database(pair.leader.database)
    with database.transaction() as connection:
        connection.execute("CREATE TABLE large (data BLOB)")
        for _ in range(megabytes):
            connection.execute("INSERT INTO large VALUES (?)", (os.urandom(1_000_000),))
    database.close_all()

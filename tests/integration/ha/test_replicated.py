"""What is kept of the terms that were replicated, looked up at the place, by SFTP and as files."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from app.ha.replicated import PlaceError, spans
from app.ha.restoring import RestoreError, UnusableError, restore
from app.store.database import open_database
from tests.integration.ha.conftest import SOON, Pair
from tests.support.processes import eventually
from tests.support.writing import write_some


@pytest.fixture
def replicated(pair: Pair) -> Pair:
    """Three terms of one database, at the place; and a fourth of which nothing got there."""
    write_some(pair.writer, 20)
    for term in (8, 9, 10):
        pair.replicating.start(term)
        eventually(pair.replicating.position, "it replicates")
        assert pair.replicating.sync(SOON).replica_txid
    pair.writer.kill()
    pair.replicating.stop(SOON)
    (pair.place / "term-11/ltx").mkdir(parents=True)
    shutil.copytree(pair.place / "term-8", pair.place / "term-7")
    return pair


def test_a_machine_that_knows_of_no_term_finds_the_newest(replicated: Pair) -> None:
    now = datetime.now(UTC)
    for settings in (replicated.leader, replicated.standby):
        found = spans(settings)
        assert [span.term for span in found] == [
            10,
            9,
        ]  # of the newest three, of which there is any
        for span in found:
            assert now - timedelta(minutes=2) < span.first <= span.last <= now


def test_a_place_that_can_not_be_reached_says_so(replicated: Pair) -> None:
    other = replicated.leader.model_copy(
        update={"ha_replica_host_key": replicated.leader.ha_replica_host_key.replace("A", "B", 9)}
    )
    with pytest.raises(PlaceError):
        spans(other)
    assert replicated.sftp is not None
    replicated.sftp.process.kill()
    with pytest.raises(PlaceError, match="private link"):
        spans(replicated.leader)


def test_a_line_that_is_cut_midway_is_no_damage_and_the_next_try_works(pair: Pair) -> None:
    write_some(pair.writer, 5)
    pair.writer.kill()
    database = open_database(pair.leader.database)
    with database.transaction() as connection:
        connection.execute("CREATE TABLE large (data BLOB)")
        for _ in range(40):
            connection.execute("INSERT INTO large VALUES (?)", (os.urandom(500_000),))
    database.close_all()
    pair.replicating.start(1)
    eventually(lambda: (seen := pair.replicating.position()) and seen.synced_at, "it replicates")
    assert pair.replicating.sync(timedelta(seconds=30)).is_whole
    pair.replicating.stop(SOON)
    to = pair.leader.ha_directory / "restored.db"
    assert pair.sftp is not None

    with ThreadPoolExecutor(1) as beside:
        restoring = beside.submit(restore, pair.leader, 1, to)
        pieces = to.with_name(f"{to.name}.new.pieces")
        eventually(lambda: list(pieces.rglob("new/*.ltx")), "it fetches")
        pair.sftp.process.kill()
        error = restoring.exception()

    assert isinstance(error, RestoreError)
    assert not isinstance(error, UnusableError), error
    assert not to.exists()
    pair.sftp.start()
    restore(pair.leader, 1, to)
    assert to.exists()

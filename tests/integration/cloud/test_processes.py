"""The scheduler and the workers as real processes over a real Redis: nothing is lost or doubled."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloud_jobs.runtime import pausing
from cloud_jobs.runtime.job import Queue
from cloud_jobs.store.database import Store
from cloud_jobs.store.runs import Run, Tick
from cloud_jobs.store.tables import METADATA
from tests.support.cloud_layer import NewUrl
from tests.support.cloud_processes import SECOND, Cloud, cloud, heartbeat, letter, watch
from tests.support.processes import eventually, wait_for_redis


@pytest.fixture
def layer(tmp_path: Path, new_url: NewUrl) -> Iterator[Cloud]:
    url = new_url()
    # Its tables are for tests without migrations.
    store = Store(url)
    METADATA.drop_all(store.engine)
    store.close()
    with cloud(tmp_path, PORTIERE_STORE_URL=url) as found:
        yield found


def ticks(runs: list[Run]) -> list[str]:
    """The ticks that started these runs."""
    keys = [run.idempotency_key for run in runs]
    assert all(keys)
    return [str(key) for key in keys]


def when(tick: str) -> datetime:
    return datetime.fromisoformat(tick.removeprefix("tick:"))


def test_two_schedulers_tick_once(layer: Cloud) -> None:
    for kind in ("work", "schedule", "schedule"):
        layer.start(kind)
    layer.at_least(heartbeat, 6)
    found = ticks(layer.runs(heartbeat))
    assert len(set(found)) == len(found)
    assert found == sorted(found)


def test_a_scheduler_that_is_killed_makes_up_for_one_tick(layer: Cloud) -> None:
    layer.start("work")
    first = layer.start("schedule")
    layer.at_least(heartbeat, 2)
    first.kill()
    before = layer.runs(heartbeat)
    killed = datetime.now(UTC)
    # So many ticks nobody sees.
    eventually(lambda: datetime.now(UTC) - killed > 4 * SECOND, "four seconds are over")
    restarted = datetime.now(UTC)
    layer.start("schedule")
    layer.at_least(heartbeat, len(before) + 3)
    missed = [tick for tick in ticks(layer.runs(heartbeat)) if killed < when(tick) <= restarted]
    assert len(missed) <= 1
    assert len(set(ticks(layer.runs(heartbeat)))) == len(layer.runs(heartbeat))


def test_what_redis_forgets_is_run_all_the_same(layer: Cloud) -> None:
    layer.tell(150, dispatch=True)
    layer.empty_redis()
    layer.tell(50, dispatch=False)
    layer.start("schedule")
    layer.start("work")
    layer.empty_redis()
    done = layer.at_least(letter, 200)
    assert len(done) == 200
    assert layer.commands() == 200


def test_a_redis_that_is_away_stops_nothing_for_good(layer: Cloud) -> None:
    layer.start("schedule")
    layer.start("work")
    layer.redis.kill()
    layer.tell(20, dispatch=False)
    layer.redis.start()
    wait_for_redis(layer.redis, layer.redis_url)
    layer.at_least(letter, 20)
    for process in layer.processes:
        assert process.alive()


def test_a_worker_that_is_killed_leaves_its_runs_to_another(layer: Cloud) -> None:
    layer.start("schedule")
    layer.tell(400, dispatch=True)
    doomed = layer.start("work")
    layer.at_least(letter, 1)
    doomed.kill()
    layer.start("work")
    done = layer.at_least(letter, 400)
    assert len(done) == 400
    assert layer.commands() == 400


def test_pausing_stops_the_workers_and_not_the_clock(layer: Cloud) -> None:
    layer.start("schedule")
    layer.start("work")
    layer.at_least(watch, 1)
    with layer.store.writing() as session:
        pausing.pause(session, [Queue.WATCH, Queue.INTAKE], "test", "quiet", datetime.now(UTC))
    layer.tell(10, dispatch=True)
    beats = len(layer.runs(heartbeat))
    layer.at_least(heartbeat, beats + 4)
    (waiting,) = layer.at_least(watch, 1, "paused")
    assert len(layer.at_least(letter, 10, "paused")) == 10
    with layer.store.writing() as session:
        row = session.get(Tick, watch.name)
        assert row is not None
        assert row.skipped >= 2
        run_ids = pausing.resume(session, list(Queue), "test", datetime.now(UTC))
    assert set(run_ids) == {waiting.run_id} | {run.run_id for run in layer.runs(letter)}
    # Nobody dispatches them here: the relay does.
    layer.at_least(letter, 10)
    seen = len(layer.at_least(watch, 2))
    layer.at_least(watch, seen + 1)
    assert {run.state for run in layer.runs(letter)} == {"succeeded"}


def test_a_process_ends_in_order_when_it_is_told_to(layer: Cloud) -> None:
    scheduler, worker = layer.start("schedule"), layer.start("work")
    assert scheduler.stop() == worker.stop() == 0
    assert "scheduler_stopped" in scheduler.log.read_text()
    assert "worker_stopped" in worker.log.read_text()

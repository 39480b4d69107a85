"""The cloud's queue beside plain Dramatiq's, and how long its 50,000 runs take to be looked at.

Run: ``python -m tests.bench.cloud_queue``; with ``PORTIERE_TEST_STORE=postgres`` over Postgres.

Compared is the same thing twice, in turn, over one redis-server: N jobs that do nothing are put on
the queue, then a worker of 4 threads is started and drains it. Plain Dramatiq as it is by default
(its own middleware, an ``actor.send()`` for each, nothing kept in a store). Ours with all that a
run is: a row with its payload sealed, claimed, worked on, its end written down. It is drained when
every row says that it succeeded.
"""

import gc
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import func, insert, select

from cloud_jobs.runtime.actors import register
from cloud_jobs.runtime.broker import make_broker, messages
from cloud_jobs.runtime.executing import Runner
from cloud_jobs.runtime.job import Nothing, Queue, RunContext, job
from cloud_jobs.runtime.listing import Filter, find, stats
from cloud_jobs.runtime.replaying import replay
from cloud_jobs.runtime.starting import Start, payload_context, start_all
from cloud_jobs.runtime.time_limits import TimeLimits
from cloud_jobs.store.base import table
from cloud_jobs.store.runs import Run, StartedBy, State
from tests.bench.machine import describe
from tests.support.cloud_layer import Layer, NewUrl, SqliteFiles
from tests.support.postgres import cluster
from tests.support.processes import eventually, redis_server

JOBS = 5_000
ONE_BY_ONE = 1_000
ROUNDS = 3
THREADS = 4
RUNS = 50_000
DAYS = 60
GOAL_RATIO = 0.8
GOAL_MS = 100
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


@job("nothing", queue=Queue.REPORTS, payload=Nothing)
def nothing(run: RunContext, _: Nothing) -> None:
    """Do nothing."""


def plain(redis_url: str) -> tuple[float, float]:
    """Plain Dramatiq: jobs put on the queue and drained, a second."""
    broker = RedisBroker(url=redis_url)
    done = threading.Event()
    left = iter(range(JOBS - 1, -1, -1))
    lock = threading.Lock()

    @dramatiq.actor(broker=broker)
    def do_nothing(_: int) -> None:
        with lock:
            if next(left) == 0:
                done.set()

    start = time.perf_counter()
    for number in range(JOBS):
        do_nothing.send(number)
    queued = time.perf_counter()
    worker = dramatiq.Worker(broker, worker_threads=THREADS)
    worker.start()
    done.wait()
    drained = time.perf_counter()
    worker.stop()
    return JOBS / (queued - start), JOBS / (drained - queued)


def ours(redis_url: str, url: NewUrl, *, one_by_one: bool) -> tuple[float, float]:
    """The cloud's: dispatched as they are when so many start at once, or each by itself."""
    jobs = ONE_BY_ONE if one_by_one else JOBS
    cloud = Layer.make(url, [nothing])
    limits = TimeLimits()
    broker = make_broker(redis_url, [limits])
    register(broker, Runner(cloud.settings, cloud.store, cloud.seal, cloud.jobs, limit=limits))
    starts = [Start(nothing, {}, StartedBy.PERSON)] * jobs
    start = time.perf_counter()
    with cloud.store.writing() as session:
        begun = start_all(
            session, starts, seal=cloud.seal, zone=cloud.settings.zone, now=datetime.now(UTC)
        )
    run_ids = [one.run_id for one in begun]
    parts = [[run_id] for run_id in run_ids] if one_by_one else [run_ids]
    broker.enqueue_many(message for part in parts for message in messages(part))
    queued = time.perf_counter()
    worker = dramatiq.Worker(broker, worker_threads=THREADS, worker_timeout=20)
    worker.start()
    eventually(lambda: _succeeded(cloud) == jobs, "all runs succeeded", seconds=120)
    drained = time.perf_counter()
    worker.stop()
    cloud.close()
    return jobs / (queued - start), jobs / (drained - queued)


def idle(new_url: NewUrl) -> None:
    """How long a run takes to begin when the queue was empty, from its dispatch."""
    begun = threading.Event()

    @job("begin", queue=Queue.REPORTS, payload=Nothing)
    def begin(run: RunContext, _: Nothing) -> None:
        begun.set()

    cloud = Layer.make(new_url, [begin])
    took = []
    with tempfile.TemporaryDirectory() as directory, redis_server(Path(directory)) as (_, url):
        broker = make_broker(url)
        register(broker, Runner(cloud.settings, cloud.store, cloud.seal, cloud.jobs))
        worker = dramatiq.Worker(broker, worker_threads=THREADS, worker_timeout=20)
        worker.start()
        for _ in range(50):
            run_id = cloud.begin(begin, {})
            begun.clear()
            start = time.perf_counter()
            broker.enqueue_many(messages([run_id]))
            begun.wait()
            took.append((time.perf_counter() - start) * 1000)
        worker.stop()
    cloud.close()
    print(f"on an empty queue a run begins after {statistics.median(took):.1f} ms (median)")


def _succeeded(cloud: Layer) -> int:
    with cloud.store.reading() as session:
        return session.scalar(select(func.count()).where(Run.state == State.SUCCEEDED)) or 0


def throughput(new_url: NewUrl) -> None:
    """Both in turn, so that a busy moment of the machine hits both."""
    rates: dict[str, list[tuple[float, float]]] = {"plain": [], "ours": [], "one by one": []}
    with tempfile.TemporaryDirectory() as directory, redis_server(Path(directory)) as (_, url):
        for _ in range(ROUNDS):
            rates["plain"].append(plain(url))
            rates["ours"].append(ours(url, new_url, one_by_one=False))
            rates["one by one"].append(ours(url, new_url, one_by_one=True))
    middle = {
        name: statistics.median(drained for _, drained in found) for name, found in rates.items()
    }
    for name, found in rates.items():
        queued = statistics.median(queued for queued, _ in found)
        every = ", ".join(f"{drained:.0f}" for _, drained in found)
        print(f"{name}: queued {queued:.0f}/s; drained {every}, median {middle[name]:.0f}/s")
    ratio = middle["ours"] / middle["plain"]
    verdict = "met" if ratio >= GOAL_RATIO else "MISSED"
    print(f"of {JOBS} started at once: {ratio:.2f} x plain Dramatiq; goal {GOAL_RATIO}: {verdict}")
    print(f"of those queued one by one: {middle['one by one'] / middle['plain']:.2f} x")


def fill(cloud: Layer) -> None:
    """50,000 runs of 10 jobs over 60 days, one of 20 failed."""
    rows = [_row(cloud, number) for number in range(RUNS)]
    with cloud.store.writing() as session:
        for at in range(0, RUNS, 5000):
            session.connection().execute(insert(table(Run)), rows[at : at + 5000])


def _row(cloud: Layer, number: int) -> dict[str, object]:
    at = NOW - timedelta(days=DAYS) * (RUNS - number) / RUNS
    failed = number % 20 == 0
    run_id = f"{number:032x}"
    return {
        "run_id": run_id,
        "job": "nothing" if number % 10 == 0 else f"job-{number % 10}",
        "queue": Queue.REPORTS,
        "state": State.FAILED if failed else State.SUCCEEDED,
        "started_by": StartedBy.EVENT,
        "attempts": 1,
        "created_at": at,
        "not_before": at,
        "started_at": at,
        "finished_at": at + timedelta(milliseconds=number % 997),
        "payload": cloud.seal.seal("{}", payload_context(run_id)),
        "error_kind": "RetryableError" if failed else None,
        "day": at.astimezone(cloud.settings.zone).date().isoformat(),
    }


def looks(new_url: NewUrl) -> None:
    """How long what people ask for takes."""
    cloud = Layer.make(new_url, [nothing])
    fill(cloud)
    if not cloud.store.is_sqlite:  # what its autovacuum does within a minute
        engine = cloud.store.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    week = NOW - timedelta(days=7)
    middle = RUNS // 2

    def listed(which: Filter, **page: int) -> Callable[[], object]:
        def ask() -> object:
            with cloud.store.reading() as session:
                return find(session, which, **page)

        return ask

    def counted(days: int) -> Callable[[], object]:
        since = (NOW - timedelta(days=days)).date().isoformat()

        def ask() -> object:
            with cloud.store.reading() as session:
                return stats(session, since=since, until="2026-12-31")

        return ask

    def replayed(limit: int) -> Callable[[], object]:
        def ask() -> object:
            with cloud.store.writing() as session:
                return replay(
                    session,
                    Filter(job="nothing", state=State.FAILED),
                    seal=cloud.seal,
                    jobs=cloud.jobs,
                    zone=cloud.settings.zone,
                    now=NOW,
                    limit=limit,
                )

        return ask

    # What made the rows is no garbage of a process that only asks for them.
    gc.freeze()
    for what, ask in {
        "the newest 50 runs": listed(Filter()),
        "50 from the middle": listed(Filter(), before_seq=middle),
        "50 of a job": listed(Filter(job="job-3")),
        "50 failed": listed(Filter(state=State.FAILED)),
        "50 failed of a job, of last week": listed(
            Filter(job="nothing", state=State.FAILED, since=week)
        ),
        "of an error that never was": listed(Filter(error_kind="KeyError")),
        "500 runs": listed(Filter(), limit=500),
        "numbers by job and day, of 7 days": counted(7),
        f"of {DAYS} days, which is every run": counted(DAYS),
        "replay of 1": replayed(1),
        "replay of 100": replayed(100),
    }.items():
        _time(what, ask)
    cloud.close()


def _time(what: str, ask: Callable[[], object]) -> None:
    took = []
    for _ in range(11):
        start = time.perf_counter()
        ask()
        took.append((time.perf_counter() - start) * 1000)
    middle = statistics.median(took)
    verdict = "" if middle < GOAL_MS else f"  MISSED: {GOAL_MS} ms"
    print(f"{what}: median {middle:.1f} ms, longest {max(took):.1f} ms{verdict}")


@contextmanager
def stores() -> Iterator[NewUrl]:
    """Makes stores of the kind that PORTIERE_TEST_STORE names."""
    if os.environ.get("PORTIERE_TEST_STORE", "sqlite") == "sqlite":
        with tempfile.TemporaryDirectory() as directory:
            yield SqliteFiles(Path(directory)).fresh
        return
    with cluster() as server:
        yield server.fresh


def main() -> None:
    """Print both."""
    print(describe())
    with stores() as new_url:
        throughput(new_url)
        idle(new_url)
        print(f"with {RUNS} runs in the store:")
        looks(new_url)


if __name__ == "__main__":
    main()

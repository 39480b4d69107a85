"""``kill -9`` of a real worker at each point of a run: what was begun is finished, once."""

import os
import signal
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from cloud_jobs.runtime.broker import make_broker, messages
from cloud_jobs.runtime.events import Event, take
from cloud_jobs.store.exchange import Command, InboundEvent
from cloud_jobs.store.money import Metered
from cloud_jobs.store.runs import FINISHED, Run, State
from tests.support.cloud_processes import Cloud, cloud
from tests.support.dying_runs import jobs
from tests.support.dying_worker import Nursery
from tests.support.processes import eventually

# Claimed, five effects and a line, settled; then what waits for the event: claimed, one, settled.
POINTS = 3 * (8 + 3)


def a_parcel_comes(layer: Cloud, number: int) -> None:
    now = datetime.now(UTC)
    event = Event(f"parcel-{number}", "parcel.came", "mac", now, {"number": number})
    with layer.store.writing() as session:
        taken = take(
            session, event, seal=layer.seal, jobs=jobs(), zone=layer.settings.zone, now=now
        )
    layer.empty_redis()  # what the worker before had taken, and what it had dispatched
    make_broker(layer.redis_url).enqueue_many(messages(taken.run_ids))


def states(layer: Cloud) -> Counter[tuple[str, str]]:
    """How many runs of each job are in each state; the scheduler's own jobs don't count."""
    query = select(Run).where(Run.job.in_(jobs().by_name))
    with layer.store.reading() as session:
        return Counter((run.job, run.state) for run in session.scalars(query))


def test_a_worker_killed_at_each_point_of_a_run_leaves_nothing_out_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    with cloud(tmp_path, PORTIERE_WORKER_THREADS="1") as layer:
        nursery = Nursery(layer.env, tmp_path / "dying.log", "tests.support.dying_runs")
        for point in range(1, POINTS + 1):
            nursery.start(f"{point}")
            a_parcel_comes(layer, point)
            assert nursery.wait() == -signal.SIGKILL, f"not reached: {point}"
        # One that lives, to show that there is no point more.
        pid = nursery.start(f"{POINTS + 1}")
        a_parcel_comes(layer, POINTS + 1)
        whole = ("parcel-counted", State.SUCCEEDED)
        before = states(layer)[whole]
        eventually(lambda: states(layer)[whole] > before, "an undisturbed run is over")
        os.kill(pid, signal.SIGTERM)
        assert nursery.wait() == 0
        nursery.close()
        finish(layer)
        check(layer, POINTS + 1)


def finish(layer: Cloud) -> None:
    """A scheduler finds what was left, workers do it."""
    layer.start("schedule")
    worker = (sys.executable, "-c", "from tests.support.dying_runs import live; live()")
    layer.start("work", program=worker)

    def is_over() -> bool:
        return all(state in FINISHED for job, state in states(layer) if job != "shelve-parcel")

    eventually(is_over, "all is over")


def check(layer: Cloud, parcels: int) -> None:
    assert states(layer) == {
        ("count-parcel", State.SUCCEEDED): parcels,
        ("parcel-counted", State.SUCCEEDED): parcels,
        ("shelve-parcel", State.QUEUED): parcels,  # it is to wait five minutes
    }
    with layer.store.reading() as session:
        commands = Counter(session.scalars(select(Command.name)))
        events = Counter(session.scalars(select(InboundEvent.name)))
        assert len(session.scalars(select(Metered)).all()) == parcels
    assert commands == {"SEND_MESSAGE": parcels, "ALERT_DESK": parcels}
    assert events == {"parcel.came": parcels, "parcel.counted": parcels}

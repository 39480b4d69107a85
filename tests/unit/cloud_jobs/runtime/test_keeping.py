"""What is over is deleted after its time, and nothing else."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, insert, select, update

from cloud_jobs.exchange.commands import CommandState
from cloud_jobs.runtime.job import Nothing, On, Queue, RunContext, job
from cloud_jobs.runtime.keeping import BATCH, ROUTINE, delete_old, free_keys
from cloud_jobs.store.base import Base
from cloud_jobs.store.exchange import AuditEntry, Command, InboundEvent
from cloud_jobs.store.runs import Run, RunLog, StartedBy, State, Step
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.conftest import MakeLayer

NOW = datetime.now(UTC)
KEEP = timedelta(days=90)
OLD, YOUNG = NOW - KEEP - timedelta(days=1), NOW - KEEP + timedelta(days=1)


@job("note", On("noted"), queue=Queue.INTAKE, payload=Nothing)
def note(run: RunContext, _: Nothing) -> None:
    run.log("noted")
    run.command("tell", "SEND_MESSAGE", {"text": "noted"})


@job("look", On("looked"), queue=Queue.UPKEEP, payload=Nothing)
def look(run: RunContext, _: Nothing) -> None:
    """Upkeep."""


def count(cloud: Layer, table: type[Base]) -> int:
    with cloud.store.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def age(cloud: Layer, at: datetime) -> None:
    """Let everything that there is be of that time."""
    with cloud.store.writing() as session:
        session.execute(update(Run).values(not_before=at, finished_at=at))
        session.execute(update(InboundEvent).values(received_at=at))
        session.execute(update(Command).values(settled_at=at, state=CommandState.DONE))


def test_what_has_been_over_for_long_is_deleted_whole(layer: MakeLayer) -> None:
    cloud = layer(note)
    cloud.tell("noted", {})
    cloud.run_all()
    tables: tuple[type[Base], ...] = (Run, Step, RunLog, InboundEvent, Command)
    assert all(count(cloud, table) for table in tables)
    age(cloud, YOUNG)
    assert set(delete_old(cloud.store, KEEP, NOW).values()) == {0}
    age(cloud, OLD)
    assert delete_old(cloud.store, KEEP, NOW) == {
        "runs": 1,
        "routine": 0,
        "inbound_events": 1,
        "commands": 1,
        "audit": 0,
    }
    assert not any(count(cloud, table) for table in tables)


def test_what_is_not_over_stays_however_old(layer: MakeLayer) -> None:
    cloud = layer(note)
    cloud.tell("noted", {})
    cloud.run_all()
    age(cloud, OLD)
    with cloud.store.writing() as session:
        session.execute(update(Run).values(state=State.PAUSED))
        session.execute(update(Command).values(state=CommandState.OFFERED))
    delete_old(cloud.store, KEEP, NOW)
    assert count(cloud, Run) == count(cloud, Command) == 1


def test_what_upkeep_did_well_by_the_clock_goes_after_days(layer: MakeLayer) -> None:
    cloud = layer(look)
    at = NOW - ROUTINE - timedelta(hours=1)
    cases = ((StartedBy.CLOCK, State.SUCCEEDED), (StartedBy.CLOCK, State.FAILED))
    for started_by, state in (*cases, (StartedBy.PERSON, State.SUCCEEDED)):
        run_id = cloud.begin(look, {})
        with cloud.store.writing() as session:
            session.execute(
                update(Run)
                .where(Run.run_id == run_id)
                .values(started_by=started_by, state=state, not_before=at, finished_at=at)
            )
    assert delete_old(cloud.store, KEEP, NOW)["routine"] == 1
    left = [(run.started_by, run.state) for run in cloud.runs()]
    assert left == [(StartedBy.CLOCK, State.FAILED), (StartedBy.PERSON, State.SUCCEEDED)]
    assert delete_old(cloud.store, timedelta(hours=1), NOW)["runs"] == 2


def test_many_are_deleted_in_batches(layer: MakeLayer) -> None:
    cloud = layer(note)
    entry = {
        "actor": "mac",
        "action": "queue.paused",
        "target": "watch",
        "outcome": "ok",
        "request_id": "one",
        "address": "10.0.0.0",
    }
    with cloud.store.writing() as session:
        for at, rows in ((OLD, 2 * BATCH + 1), (YOUNG, 2)):
            session.execute(insert(AuditEntry), [entry | {"at": at}] * rows)
    assert delete_old(cloud.store, KEEP, NOW)["audit"] == 2 * BATCH + 1
    assert count(cloud, AuditEntry) == 2


def test_keys_that_count_no_more_are_freed(layer: MakeLayer) -> None:
    cloud = layer(note)
    run_id = cloud.begin(note, {}, key="once", key_counts=timedelta(hours=1))
    with cloud.store.writing() as session:
        assert free_keys(session, NOW + timedelta(minutes=30)) == 0
        assert free_keys(session, NOW + timedelta(hours=2)) == 1
    assert cloud.runs()[0].idempotency_key is None
    assert cloud.begin(note, {}, key="once") != run_id

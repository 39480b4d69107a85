"""Killed at each of their points, the rest of upkeep's jobs do no more than undisturbed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from sqlalchemy import update
from sqlalchemy.orm import Session

from cloud_jobs.alerts.health import Health
from cloud_jobs.exchange import commands
from cloud_jobs.exchange.commands import CommandState
from cloud_jobs.jobs import night_pause
from cloud_jobs.jobs.auto_resume import auto_resume, auto_resume_for_arrival
from cloud_jobs.jobs.delete_old import delete_old
from cloud_jobs.jobs.forget_mails import forget_mails
from cloud_jobs.jobs.forget_sources import forget_sources
from cloud_jobs.jobs.log_shipping import log_shipping
from cloud_jobs.jobs.monitor_mac_health import monitor_mac_health
from cloud_jobs.jobs.refused_bookings import refused_bookings
from cloud_jobs.jobs.replay_buffered import replay_buffered
from cloud_jobs.jobs.tell_desk import tell_desk
from cloud_jobs.runtime.job import Job, Nothing, On, Queue, RunContext, job
from cloud_jobs.runtime.pausing import pause
from cloud_jobs.store.alerts import Watched
from cloud_jobs.store.exchange import Command
from cloud_jobs.store.runs import Run, RunLog, State
from tests.support.cloud_layer import Layer, kill_everywhere
from tests.unit.cloud_jobs.conftest import MakeLayer

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
LONG_AGO = NOON - timedelta(days=200)
BOOKING = {
    "told_by": "mail",
    "told_at": NOON.isoformat(),
    "channel": "airbnb",
    "code": "HM12345678",
    "change": "new",
}


@job("ask", On("ask.wanted"), queue=Queue.NOTICES, payload=Nothing)
def ask(run: RunContext, _: Nothing) -> None:
    run.command("tell", "SEND_MESSAGE", {})


def over(layer: Layer, of: Job[Any], payload: dict[str, Any], **columns: Any) -> str:
    """A run that is over in this way."""
    run_id = layer.begin(of, payload)
    with layer.store.writing() as session:
        session.execute(update(Run).where(Run.run_id == run_id).values(**columns))
    return run_id


def night(layer: Layer) -> None:
    with layer.store.writing() as session:
        pause(session, (Queue.NOTICES, Queue.WATCH), night_pause.BY, "night", NOON)


def outage(layer: Layer) -> None:
    ended = NOON - timedelta(minutes=10)
    failed = {"state": State.FAILED, "error_kind": "UnavailableError"}
    over(layer, ask, {}, **failed, created_at=ended, finished_at=ended)


def old_run(layer: Layer) -> None:
    over(layer, ask, {}, state=State.SUCCEEDED, not_before=LONG_AGO, finished_at=LONG_AGO)


def logged(layer: Layer) -> None:
    run_id = over(layer, ask, {}, state=State.SUCCEEDED)
    with layer.store.writing() as session:
        at = NOON - timedelta(days=1)
        session.add(RunLog(run_id=run_id, at=at, level="info", message="noted", fields={}))


def refusal(layer: Layer) -> None:
    run_id = over(layer, tell_desk, BOOKING, state=State.SUCCEEDED)
    with layer.store.writing() as session:
        issue(session, layer, run_id)
        session.execute(
            update(Command).values(state=CommandState.FAILED, error="nope", settled_at=NOON)
        )


def issue(session: Session, layer: Layer, run_id: str) -> None:
    commands.issue(
        session,
        layer.seal,
        command_id="refused",
        name="UPSERT_BOOKING",
        payload={},
        run_id=run_id,
        now=NOON,
    )


def silence(layer: Layer) -> None:
    """A desk that was there and has not been heard of for long."""
    heard = NOON - timedelta(minutes=10)
    with layer.store.writing() as session:
        session.add(
            Watched(
                name=layer.settings.node,
                health=Health.UP,
                since=heard,
                heard_at=heard,
                missed=9,
                signs=0,
            )
        )


@dataclass(frozen=True)
class Case:
    """A job, what it is given, what it finds, and how many kinds of things it sees to."""

    job: Job[Any]
    prepare: Callable[[Layer], None]
    payload: dict[str, Any]
    also: tuple[Job[Any], ...] = ()


CASES = (
    Case(auto_resume, night, {}),
    Case(auto_resume_for_arrival, night, {"arrival": str(NOON.date())}),
    Case(replay_buffered, outage, {}, (ask,)),
    Case(log_shipping, logged, {}, (ask,)),
    Case(refused_bookings, refusal, {}, (tell_desk,)),
    Case(delete_old, old_run, {}, (ask,)),
    Case(forget_mails, old_run, {}, (ask,)),
    Case(forget_sources, old_run, {}, (ask,)),
    # It tries once, for the next look is a minute later; here it is to survive its death.
    Case(replace(monitor_mac_health, attempts=2), silence, {}),
)


@pytest.mark.thorough
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.job.name)
def test_killed_at_each_point(layer: MakeLayer, tmp_path: Path, case: Case) -> None:
    made = layer(case.job, *case.also, ship_logs_to=tmp_path)
    with time_machine.travel(NOON):
        assert kill_everywhere(made, case.job, case.payload, prepare=case.prepare) >= 3

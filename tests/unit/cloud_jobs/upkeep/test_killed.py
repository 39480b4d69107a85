"""Killed at each of their points, upkeep's jobs tell, pause and count no more than undisturbed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from sqlalchemy import func, select

from cloud_jobs.costs.metering import meter
from cloud_jobs.jobs.dynamic_pause import dynamic_pause
from cloud_jobs.jobs.message_costs import message_costs
from cloud_jobs.jobs.monitor_mac_health import monitor_mac_health
from cloud_jobs.jobs.monthly_costs import monthly_costs
from cloud_jobs.jobs.night_pause import night_pause
from cloud_jobs.jobs.over_budget import over_budget
from cloud_jobs.runtime.job import Job, Nothing
from cloud_jobs.store.alerts import Alert, AlertDelivery
from cloud_jobs.store.known import KnownMessage
from tests.support.cloud_layer import Layer, kill_everywhere
from tests.unit.cloud_jobs.conftest import MakeLayer
from tests.unit.cloud_jobs.costs.conftest import LIST

NIGHT = datetime(2026, 11, 27, 3, tzinfo=UTC)


def spend(layer: Layer) -> None:
    """A budget that is used up, and templates that arrived."""
    with layer.store.writing() as session:
        meter(
            session,
            layer.settings,
            key="much",
            item="whatsapp.service.IT",
            quantity=150,
            at=NIGHT,
        )
        session.add(
            KnownMessage(
                outbox_id=1,
                kind="notice",
                sent_as="template",
                language="it",
                state="delivered",
                told_at=NIGHT - timedelta(hours=1),
            )
        )


@pytest.mark.thorough
@pytest.mark.parametrize(
    "declared", [over_budget, monthly_costs, message_costs, night_pause, dynamic_pause]
)
def test_killed_at_each_point(layer: MakeLayer, tmp_path: Path, declared: Job[Nothing]) -> None:
    path = tmp_path / "costs.yml"
    path.write_text(LIST)
    made = layer(declared, costs_file=path, alert_by_desk="all")
    with time_machine.travel(NIGHT):
        assert kill_everywhere(made, declared, {}, prepare=spend) >= 3


def test_alerts_of_a_run_that_was_killed_are_told_once(layer: MakeLayer, tmp_path: Path) -> None:
    path = tmp_path / "costs.yml"
    path.write_text(LIST)
    made = layer(over_budget, costs_file=path, alert_by_desk="all")
    with time_machine.travel(NIGHT, tick=False):
        spend(made)
        run_id = made.begin(over_budget, {})
        for _ in range(2):
            made.runner.execute(run_id)
            made.hurry()
    with made.store.reading() as session:
        alerts = session.scalars(select(func.count()).select_from(Alert)).one()
        told = session.scalars(select(func.count()).select_from(AlertDelivery)).one()
    assert (alerts, told) == (3, 3)  # messages at 80 and 100 %, the total at 80


def test_the_look_at_the_desk_is_not_tried_again(layer: MakeLayer) -> None:
    assert monitor_mac_health.attempts == 1

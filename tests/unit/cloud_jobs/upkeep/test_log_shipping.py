"""What runs logged is written to a file a day, whole, once, and kept for thirty."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import time_machine

from cloud_jobs.jobs.log_shipping import log_shipping
from cloud_jobs.runtime.job import Nothing, On, Queue, RunContext, job
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.conftest import MakeLayer

NIGHT = datetime(2026, 11, 27, 2, 40, tzinfo=UTC)
LATE = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)  # half past midnight of the 26th in Rome


@job("talk", On("talk.wanted"), queue=Queue.REPORTS, payload=Nothing)
def talk(run: RunContext, _: Nothing) -> None:
    """Logs something."""
    run.log("è fatto", parcels=3)


def talked(layer: Layer, at: datetime) -> None:
    with time_machine.travel(at, tick=False):
        layer.tell("talk.wanted", {})
        layer.run_all()


def shipped(layer: Layer, at: datetime = NIGHT) -> dict[str, Any]:
    with time_machine.travel(at, tick=False):
        layer.runner.execute(layer.begin(log_shipping, {}))
    run = layer.runs(log_shipping)[-1]
    return layer.output(run) or {}


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_each_day_that_is_over_has_a_file_with_its_lines(layer: MakeLayer, tmp_path: Path) -> None:
    made = layer(talk, log_shipping, ship_logs_to=tmp_path / "logs")
    for at in (LATE, LATE + timedelta(hours=1), NIGHT):
        talked(made, at)
    assert shipped(made) == {"lines": {"2026-11-26": 2}, "deleted": 0}
    (path,) = (tmp_path / "logs").iterdir()
    assert path.name == "runs-2026-11-26.jsonl.gz"
    first, _ = read(path)
    assert first == {
        "at": "2026-11-25T23:30:00+00:00",
        "job": "talk",
        "run_id": made.runs(talk)[0].run_id,
        "level": "info",
        "message": "è fatto",
        "fields": {"parcels": 3},
    }


def test_days_that_were_missed_are_made_up_for_and_none_is_written_twice(
    layer: MakeLayer, tmp_path: Path
) -> None:
    made = layer(talk, log_shipping, ship_logs_to=tmp_path)
    talked(made, NIGHT - timedelta(days=3))
    talked(made, NIGHT - timedelta(days=1))
    assert shipped(made)["lines"] == {"2026-11-24": 1, "2026-11-26": 1}
    assert shipped(made)["lines"] == {}


def test_after_thirty_days_a_file_is_deleted_and_nothing_else(
    layer: MakeLayer, tmp_path: Path
) -> None:
    made = layer(talk, log_shipping, ship_logs_to=tmp_path)
    talked(made, NIGHT - timedelta(days=1))
    (tmp_path / "notes.txt").write_text("mine")
    shipped(made)
    assert shipped(made, NIGHT + timedelta(days=29))["deleted"] == 0
    assert shipped(made, NIGHT + timedelta(days=30))["deleted"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_without_a_directory_nothing_is_written(layer: MakeLayer) -> None:
    made = layer(talk, log_shipping)
    talked(made, NIGHT - timedelta(days=1))
    assert shipped(made) == {}

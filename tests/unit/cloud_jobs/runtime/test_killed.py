"""A worker may die at any point of a run: nothing is done twice, nothing is left out."""

import pytest

from cloud_jobs.runtime.job import Payload, Queue, RunContext, job
from tests.support.cloud_layer import kill_everywhere
from tests.unit.cloud_jobs.conftest import MakeLayer
from tests.unit.cloud_jobs.runtime.jobs import count_parcel, parcel_counted, shelve_parcel


@pytest.mark.thorough
def test_a_run_killed_at_each_of_its_points_does_everything_once(layer: MakeLayer) -> None:
    cloud = layer(count_parcel, parcel_counted, shelve_parcel)
    # Three runs are claimed and settled, and have nine effects; each is one transaction.
    assert kill_everywhere(cloud, count_parcel, {"number": 4}, guest="ab" * 32) == 3 * (6 + 9)


def test_the_killing_finds_a_job_that_does_something_outside_its_steps(layer: MakeLayer) -> None:
    @job("forgetful", queue=Queue.INTAKE, payload=Payload)
    def forgetful(run: RunContext, _: Payload) -> None:
        run.command(f"attempt {run.attempt}", "ALERT_DESK", {"text": "x"})

    with pytest.raises(AssertionError, match="killed at point"):
        kill_everywhere(layer(forgetful), forgetful, {})


@pytest.mark.thorough
def test_a_step_that_was_finished_is_not_done_again(layer: MakeLayer) -> None:
    done: list[str] = []

    def do(name: str) -> int:
        done.append(name)
        return len(name)

    @job("careful", queue=Queue.INTAKE, payload=Payload)
    def careful(run: RunContext, _: Payload) -> None:
        run.step("first", lambda: do("first"), int)
        run.step("second", lambda: do("second"), int)

    points = kill_everywhere(layer(careful), careful, {})
    assert points == 3 * 4
    # Undisturbed once, then once each; and again where the death fell before its commit.
    assert done.count("first") == 1 + points + 2
    assert done.count("second") == 1 + points + 2

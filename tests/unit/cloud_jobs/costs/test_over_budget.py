"""Budgets are told of once a level; what is optional rests while one is used up."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from sqlalchemy import select

from cloud_jobs.jobs.all import DECLARED, all_jobs
from cloud_jobs.jobs.over_budget import REACHED, over_budget, rests_when_used_up
from cloud_jobs.runtime.job import Nothing, On, Queue, RunContext, job
from cloud_jobs.store.alerts import Alert
from cloud_jobs.store.runs import State
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.costs.conftest import NOON, Priced, use


@job("extra", On("extra.wanted"), queue=Queue.NOTICES, payload=Nothing, optional=True)
def extra(run: RunContext, _: Nothing) -> dict[str, str]:
    """Something that can be gone without."""
    return {"done": run.run_id}


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as found:
        yield found


@pytest.fixture
def layer(priced: Priced, clock: time_machine.Traveller) -> Layer:
    return priced(over_budget, rests_when_used_up(extra))


def look(layer: Layer) -> list[str]:
    """The keys of the alerts that are open after a look."""
    layer.runner.execute(layer.begin(over_budget, {}))
    run = layer.runs(over_budget)[-1]
    assert run.state == State.SUCCEEDED, run.error
    with layer.store.reading() as session:
        open_keys = select(Alert.key).where(Alert.resolved_at.is_(None)).order_by(Alert.key)
        return list(session.scalars(open_keys))


def extras(layer: Layer) -> list[bool]:
    """Whether each optional run did something."""
    layer.tell("extra.wanted", {})
    layer.run_all()
    return ["done" in (layer.output(run) or {}) for run in layer.runs("extra")]


def test_what_is_paid_every_month_is_there_after_the_first_look_once(layer: Layer) -> None:
    look(layer)
    look(layer)
    assert layer.meters() == [("vps", 1)]


def test_below_80_percent_nobody_is_told(layer: Layer) -> None:
    use(layer, "whatsapp.service.IT", 79)
    assert look(layer) == []
    assert layer.events(REACHED) == []


def test_each_level_of_each_budget_is_told_once(layer: Layer) -> None:
    use(layer, "whatsapp.service.IT", 80)  # 2.40 of 3.00
    assert look(layer) == look(layer) == ["budget:2026-11:messages:80"]
    use(layer, "whatsapp.service.IT", 20)
    assert (
        look(layer)
        == look(layer)
        == [
            "budget:2026-11:messages:100",
            "budget:2026-11:messages:80",
        ]
    )
    assert [event.payload for event in layer.events(REACHED)] == [
        {"month": "2026-11", "budget": "messages", "percent": 80},
        {"month": "2026-11", "budget": "messages", "percent": 100},
    ]
    (_, text), _ = layer.alerts()
    assert text == "80 % of this month's budget (messages) is spent: 2.40 of 3.00 EUR."


def test_what_passes_both_levels_between_two_looks_is_told_of_both(layer: Layer) -> None:
    use(layer, "whatsapp.service.IT", 200)  # 6.00 of 3.00, and 10.50 of 10.00 in all
    assert look(layer) == [
        "budget:2026-11:messages:100",
        "budget:2026-11:messages:80",
        "budget:2026-11:total:100",
        "budget:2026-11:total:80",
    ]


def test_what_is_optional_rests_at_100_percent_and_not_at_80(layer: Layer) -> None:
    use(layer, "whatsapp.service.IT", 99)
    look(layer)
    assert extras(layer) == [True]
    use(layer, "whatsapp.service.IT", 1)
    look(layer)
    assert extras(layer) == [True, False]
    assert [run.state for run in layer.runs("extra")] == [State.SUCCEEDED] * 2


def test_a_new_month_begins_with_all_of_it(layer: Layer, clock: time_machine.Traveller) -> None:
    use(layer, "whatsapp.service.IT", 100)
    look(layer)
    clock.shift(timedelta(days=16))
    assert extras(layer) == [True]
    assert look(layer) == []


def test_a_budget_that_is_raised_ends_it(layer: Layer, priced: Priced, tmp_path: Path) -> None:
    use(layer, "whatsapp.service.IT", 100)
    look(layer)
    more = tmp_path / "more.yml"
    more.write_text((tmp_path / "costs.yml").read_text().replace("3.00}", "30.00}"))
    raised = Layer.make(
        layer.settings.store_url.get_secret_value,
        layer.jobs.by_name.values(),
        costs_file=more,
    )
    assert look(raised) == []
    assert extras(raised) == [True]
    raised.close()


def test_each_optional_job_of_the_list_rests(layer: Layer) -> None:
    declared = {one.name: one for one in DECLARED if one.optional}
    found = all_jobs(layer.settings).by_name
    assert declared
    assert all(found[name].handler is not one.handler for name, one in declared.items())

"""What pausing saved is reckoned from runs that were left out, after what is free."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from cloud_jobs.costs.months import Month
from cloud_jobs.costs.savings import Saved, saved
from cloud_jobs.jobs.monthly_costs import by_clock, monthly_costs
from cloud_jobs.runtime.job import Every, Job, Nothing, Queue, RunContext, job
from cloud_jobs.runtime.pausing import pause, resume
from cloud_jobs.runtime.starting import Start, start
from cloud_jobs.store.runs import StartedBy
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.costs.conftest import Priced, use

NOVEMBER = Month("2026-11")
BEGINS = datetime(2026, 11, 10, 1, tzinfo=UTC)  # 02:00 in Rome
END = datetime(2026, 12, 1, 8, tzinfo=UTC)


def watching(item: str, quantity: int) -> Job[Any]:
    """A job that uses so much each hour."""

    @job("watch", Every(timedelta(hours=1)), queue=Queue.WATCH, payload=Nothing)
    def watch(run: RunContext, _: Nothing) -> None:
        run.meter("use", item, quantity)

    return watch


def ticked(layer: Layer, watch: Job[Any], at: datetime) -> None:
    """A run that the clock started."""
    with time_machine.travel(at, tick=False):
        with layer.store.writing() as session:
            one = Start(watch, {}, StartedBy.CLOCK)
            found = start(session, one, seal=layer.seal, zone=layer.settings.zone, now=at)
        layer.runner.execute(found.run_id)


def paused_for(layer: Layer, hours: int, since: datetime = BEGINS) -> None:
    with layer.store.writing() as session:
        pause(session, [Queue.WATCH], "night-pause", "night", since)
        resume(session, [Queue.WATCH], "night-pause", since + timedelta(hours=hours))


def pausing_saved(layer: Layer, now: datetime = END) -> Saved:
    with layer.store.reading() as session:
        clock = by_clock(layer.jobs, layer.settings.zone)
        return saved(session, layer.settings, NOVEMBER, clock, now)


def test_what_would_have_been_free_saves_nothing(priced: Priced) -> None:
    watch = watching("set", 1)
    layer = priced(watch)
    ticked(layer, watch, BEGINS - timedelta(hours=1))
    paused_for(layer, 6)
    found = pausing_saved(layer)
    assert found.hours == {"watch": timedelta(hours=6)}
    assert found.left_out == {"watch": 5}  # of six ticks one was kept, and run after
    assert found.amount == 0


def test_beyond_what_is_free_each_run_that_was_left_out_saves_its_average(priced: Priced) -> None:
    watch = watching("set", 100)
    layer = priced(watch)
    use(layer, "set", 300)
    ticked(layer, watch, BEGINS - timedelta(hours=1))  # 400 of 500 free ones
    paused_for(layer, 6)  # would have used 500: 400 of them paid, at half a cent
    assert pausing_saved(layer).amount == Decimal(2)


def test_what_is_free_of_a_day_is_taken_off_each_day(priced: Priced) -> None:
    watch = watching("call", 3)
    layer = priced(watch)
    ticked(layer, watch, BEGINS - timedelta(hours=1))
    paused_for(layer, 6)  # 15 calls and the 3: 8 beyond the 10 of this day
    paused_for(layer, 4, BEGINS + timedelta(days=1))  # 9 calls: free
    assert pausing_saved(layer).amount == Decimal("0.8")


def test_a_pause_counts_for_the_months_that_it_is_in(priced: Priced) -> None:
    watch = watching("token", 1)
    layer = priced(watch)
    zone = layer.settings.zone
    paused_for(layer, 10, NOVEMBER.since(zone) - timedelta(hours=8))
    paused_for(layer, 10, NOVEMBER.until(zone) - timedelta(hours=3))
    assert pausing_saved(layer, END + timedelta(days=1)).hours == {"watch": timedelta(hours=5)}


def test_a_pause_that_goes_on_counts_until_now(priced: Priced) -> None:
    layer = priced(watching("token", 1))
    with layer.store.writing() as session:
        pause(session, [Queue.WATCH], "cli:ada", "closed", BEGINS)
    found = pausing_saved(layer, BEGINS + timedelta(hours=3))
    assert found.hours == {"watch": timedelta(hours=3)}


def test_nothing_paused_saves_nothing(priced: Priced) -> None:
    watch = watching("token", 1_000_000)
    layer = priced(watch)
    ticked(layer, watch, BEGINS)
    assert pausing_saved(layer) == Saved({}, {}, Decimal(0))


@pytest.mark.parametrize("times", [1, 2])
def test_on_the_first_the_past_month_is_told_once_a_run(priced: Priced, times: int) -> None:
    watch = watching("token", 1_000_000)
    layer = priced(watch, monthly_costs, alert_by_desk="all")
    ticked(layer, watch, BEGINS - timedelta(hours=1))
    paused_for(layer, 6)
    with time_machine.travel(END, tick=False):
        run_id = layer.begin(monthly_costs, {})
        for _ in range(times):
            layer.runner.execute(run_id)
    output = layer.output(layer.runs(monthly_costs)[0])
    assert output is not None
    assert (output["month"], output["total"]) == ("2026-11", "2")
    assert output["paused"] == {
        "hours": {"watch": 6.0},
        "runs_left_out": {"watch": 5},
        "saved_at_most": "10",
    }
    assert layer.alerts() == []  # a report is nothing that is open

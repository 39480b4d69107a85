"""When the clock ticks, at any zone's change of summer time, and what a tick starts."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_jobs.runtime import pausing
from cloud_jobs.runtime.clock import next_due, next_tick, ticks
from cloud_jobs.runtime.job import Cron, Every, Nothing, On, Queue, RunContext, Trigger, job
from cloud_jobs.store.runs import StartedBy, State, Tick
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.conftest import MakeLayer

ROME = ZoneInfo("Europe/Rome")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
NOON = time(12)
QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
# Any day; one that the clock of a job begins on.
MORNING = datetime(2026, 11, 20, 9, 7, 30, tzinfo=UTC)


def rome(day: date, hour: int, minute: int = 0, *, fold: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ROME, fold=fold)


def around(trigger: Trigger, day: date) -> list[datetime]:
    """The ticks from noon of the day before to noon of the day, by the clock of Rome."""
    assert isinstance(trigger, Cron | Every)
    noon = datetime.combine(day, NOON, ROME)
    before = datetime.combine(day - DAY, NOON, ROME)
    return [tick.astimezone(ROME) for tick in ticks(trigger, ROME, before, noon)]


def test_a_time_that_does_not_exist_ticks_as_much_after_the_change() -> None:
    assert around(Cron("0 2 * * *"), SPRING) == [rome(SPRING, 3)]
    assert around(Cron("30 2 * * *"), SPRING) == [rome(SPRING, 3, 30)]


def test_a_time_that_comes_twice_ticks_the_first_time() -> None:
    (tick,) = around(Cron("30 2 * * *"), AUTUMN)
    assert tick.astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("day", [SPRING, AUTUMN, SPRING + DAY, AUTUMN + DAY])
def test_eight_in_the_morning_stays_eight_in_the_morning(day: date) -> None:
    assert around(Cron("0 8 * * *"), day) == [rome(day, 8)]


def test_an_interval_goes_on_through_both_changes() -> None:
    every = Every(timedelta(minutes=30))
    assert len(around(every, SPRING)) == 46
    assert len(around(every, AUTUMN)) == 50


def test_no_tick_of_several_a_day_is_doubled_by_a_change() -> None:
    assert [f"{tick:%H:%M}" for tick in around(Cron("0,30 1-3 * * *"), SPRING)] == [
        *("01:00", "01:30", "03:00", "03:30")
    ]
    assert [f"{tick:%H:%M}" for tick in around(Cron("0,30 1-3 * * *"), AUTUMN)] == [
        *("01:00", "01:30", "02:00", "02:30", "03:00", "03:30")
    ]


def test_the_first_of_april_at_midnight_is_not_left_out() -> None:
    """APScheduler's own trigger, with a zone, goes from March to May."""
    firsts = ticks(
        Cron("0 0 1 * *"),
        ROME,
        datetime(2026, 2, 28, 12, tzinfo=UTC),
        datetime(2026, 5, 2, tzinfo=UTC),
    )
    assert [tick.astimezone(ROME).date().month for tick in firsts] == [3, 4, 5]


ZONES = sorted(available_timezones())


def changes(zone: ZoneInfo, year: int) -> list[date]:
    """The days of a year before whose noon the zone's offset changed; or the first of March."""
    noons = [datetime.combine(date(year, 1, 1) + DAY * number, NOON, zone) for number in range(365)]
    changed = [b.date() for a, b in pairwise(noons) if a.utcoffset() != b.utcoffset()]
    return changed or [date(year, 3, 1)]


@given(
    zone=st.sampled_from(ZONES),
    year=st.integers(2020, 2037),
    number=st.integers(0, 3),
    at=st.one_of(st.times(), st.times(time(0), time(3)), st.times(time(22))),
)
def test_in_any_zone_a_daily_job_ticks_once_from_noon_to_noon(
    zone: str, year: int, number: int, at: time
) -> None:
    """By the clock on the wall; also where the change is at midnight, as in Greenland."""
    local = ZoneInfo(zone)
    trigger = Cron(f"{at.minute} {at.hour} * * *")
    days = changes(local, year)
    first = days[number % len(days)] - 3 * DAY
    noons = [datetime.combine(first + DAY * later, NOON, local) for later in range(7)]
    for noon, following in pairwise(noons):
        assert len(list(ticks(trigger, local, noon, following))) == 1


@given(
    zone=st.sampled_from(ZONES),
    minutes=st.integers(0, 17 * 365 * 24 * 60),
    expression=st.sampled_from(
        ["*/30 * * * *", "0 2 * * *", "15 0 * * *", "0 9 1 * *", "30 1,2,3 * * sun"]
    ),
)
def test_ticks_come_after_one_another_wherever_one_begins(
    zone: str, minutes: int, expression: str
) -> None:
    local, trigger = ZoneInfo(zone), Cron(expression)
    after = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    tick = next_tick(trigger, local, after)
    assert tick is not None
    assert tick > after
    # Asked from any moment before it, it is the same.
    between = after + (tick - after) / 2
    assert next_tick(trigger, local, between) == tick


def test_intervals_are_counted_from_midnight() -> None:
    assert next_tick(Every(QUARTER), ROME, MORNING) == datetime(2026, 11, 20, 9, 15, tzinfo=UTC)
    assert next_tick(Every(6 * HOUR), ROME, MORNING) == datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_days_of_the_week_are_written_by_name() -> None:
    with pytest.raises(ValueError, match="mon, tue"):
        next_tick(Cron("0 8 * * 1"), ROME, MORNING)


@job("look-often", Every(QUARTER), queue=Queue.WATCH, payload=Nothing)
def look_often(run: RunContext, _: Nothing) -> None:
    run.log("looked")


@job("say-at-eight", Cron("0 8 * * *"), queue=Queue.REPORTS, payload=Nothing)
def say_at_eight(run: RunContext, _: Nothing) -> None:
    run.log("said")


@job("wake-up", Every(QUARTER), queue=Queue.UPKEEP, payload=Nothing)
def wake_up(run: RunContext, _: Nothing) -> None:
    run.log("woken")


@job("hear", On("something"), queue=Queue.INTAKE, payload=Nothing)
def hear(run: RunContext, _: Nothing) -> None:
    run.log("heard")


def started(layer: MakeLayer) -> Layer:
    cloud = layer(look_often, say_at_eight, wake_up, hear)
    assert cloud.tick(MORNING) == []
    return cloud


def skipped(cloud: Layer, name: str) -> int:
    with cloud.store.reading() as session:
        row = session.get(Tick, name)
        assert row is not None
        return row.skipped


def test_a_new_job_ticks_from_now_on(layer: MakeLayer) -> None:
    cloud = started(layer)
    assert cloud.runs() == []
    assert cloud.tick(MORNING + timedelta(minutes=7)) == []
    run_ids = cloud.tick(datetime(2026, 11, 20, 9, 15, tzinfo=UTC))
    assert [run.job for run in cloud.runs()] == ["look-often", "wake-up"]
    assert run_ids == [run.run_id for run in cloud.runs()]
    assert {run.started_by for run in cloud.runs()} == {StartedBy.CLOCK}


def test_a_tick_runs_once_with_two_clocks(layer: MakeLayer) -> None:
    cloud = started(layer)
    at = MORNING + QUARTER
    assert len(cloud.tick(at)) == 2
    assert cloud.tick(at) == []
    cloud.run_all()
    # A clock that is behind starts nothing anew, and neither does one whose row was lost.
    assert cloud.tick(at - timedelta(minutes=1)) == []
    with cloud.store.writing() as session:
        for name in ("look-often", "wake-up"):
            row = session.get(Tick, name)
            assert row is not None
            row.last_at = MORNING
    assert cloud.tick(at) == []


def test_of_missed_ticks_one_is_made_up_for(layer: MakeLayer) -> None:
    cloud = started(layer)
    cloud.tick(MORNING + 5 * DAY)
    assert [run.job for run in cloud.runs()] == ["look-often", "say-at-eight", "wake-up"]
    cloud.run_all()
    assert cloud.tick(MORNING + 5 * DAY) == []
    assert skipped(cloud, "look-often") == 0


def test_a_job_that_still_works_gets_no_second_run(layer: MakeLayer) -> None:
    cloud = started(layer)
    cloud.tick(MORNING + QUARTER)
    cloud.tick(MORNING + 2 * QUARTER)
    assert len(cloud.runs(look_often)) == 1
    cloud.run_all()
    cloud.tick(MORNING + 3 * QUARTER)
    assert len(cloud.runs(look_often)) == 2


def test_while_paused_one_tick_waits_and_the_rest_is_counted(layer: MakeLayer) -> None:
    cloud = started(layer)
    with cloud.store.writing() as session:
        pausing.pause(session, [Queue.WATCH], "test", "quiet", MORNING)
    for number in range(1, 9):
        cloud.tick(MORNING + number * QUARTER)
        cloud.run_all()
    assert [run.state for run in cloud.runs(look_often)] == [State.PAUSED]
    assert skipped(cloud, "look-often") == 7
    # The clock of the others goes on.
    assert [run.state for run in cloud.runs(wake_up)] == [State.SUCCEEDED] * 8
    with cloud.store.writing() as session:
        resumed = pausing.resume(session, [Queue.WATCH], "test", MORNING + 9 * QUARTER)
    assert resumed == [run.run_id for run in cloud.runs(look_often)]
    cloud.run_all()
    cloud.tick(MORNING + 9 * QUARTER)
    cloud.run_all()
    assert [run.state for run in cloud.runs(look_often)] == [State.SUCCEEDED] * 2
    assert skipped(cloud, "look-often") == 7


def test_the_next_tick_of_all_is_known(layer: MakeLayer) -> None:
    cloud = layer(look_often, say_at_eight, hear)

    def due() -> datetime | None:
        with cloud.store.reading() as session:
            return next_due(session, cloud.jobs, ROME)

    at = due()
    assert at is not None
    assert at < MORNING
    cloud.tick(MORNING)
    assert due() == datetime(2026, 11, 20, 9, 15, tzinfo=UTC)
    with layer(hear).store.reading() as session:
        assert next_due(session, layer(hear).jobs, ROME) is None

"""What guests are told around their stay: who, when, and once."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from cloud_jobs.jobs.after_stay import after_stay, stay_notice
from cloud_jobs.jobs.all import all_jobs
from cloud_jobs.jobs.arrival_notices import arrival_notice, arrival_notices, late_arrival_notice
from cloud_jobs.jobs.daily_analytics import daily_analytics
from cloud_jobs.runtime.job import Cron
from cloud_jobs.settings import CloudSettings
from tests.support import known_rows as rows
from tests.support.cloud_layer import SEAL_KEYS, Layer
from tests.support.offering_desk import keep
from tests.unit.cloud_jobs.conftest import MakeLayer

# Ten in the morning in Rome, when arrival notices go out.
TEN = datetime(2026, 12, 3, 9, tzinfo=UTC)
TODAY = date(2026, 12, 3)
DAY = timedelta(days=1)
SETTINGS = CloudSettings(seal_keys=SEAL_KEYS)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(TEN - timedelta(minutes=5), tick=False) as traveller:
        yield traveller


@pytest.fixture
def cloud(layer: MakeLayer, clock: time_machine.Traveller) -> Layer:
    """A layer whose clock has begun to tick."""
    made = layer(
        arrival_notices(SETTINGS),
        arrival_notice,
        late_arrival_notice,
        after_stay,
        stay_notice,
        daily_analytics,
        review_link="https://example.invalid/review",
    )
    made.tick()
    return made


def arrivals(cloud: Layer) -> list[str]:
    """The bookings whose guests were told how to arrive."""
    return [
        payload["booking"]["code"]
        for _, payload in cloud.commands()
        if payload["template"]["name"] == "arrival_instructions"
    ]


def changed(cloud: Layer, number: int) -> None:
    cloud.tell("booking.changed", {"channel": "direct", "code": f"B-{number}"})
    cloud.run_all()


def test_who_comes_tomorrow_is_told_at_the_hour_of_the_settings_once(
    cloud: Layer, clock: time_machine.Traveller
) -> None:
    keep(cloud, rows.stay(1, TODAY + DAY, TODAY + 3 * DAY), rows.stay(2, TODAY + 2 * DAY, None))
    keep(cloud, rows.stay(3, TODAY + DAY, TODAY + 3 * DAY, status="cancelled"))
    keep(cloud, rows.stay(4, TODAY + DAY, TODAY + 3 * DAY, guest=None))
    cloud.run_all()
    assert arrivals(cloud) == []
    for hours in range(30):
        clock.move_to(TEN + timedelta(hours=hours))
        cloud.tick()
        cloud.run_all()
    assert arrivals(cloud) == ["B-1", "B-2"]
    _, payload = cloud.commands()[0]
    assert payload == {
        "guest": rows.index(1),
        "booking": {"channel": "direct", "code": "B-1"},
        "template": {"name": "arrival_instructions"},
        "dedupe_key": "arrival:1:2026-12-04",
    }


@pytest.mark.parametrize(
    ("now", "arrival", "is_told"),
    [
        (TEN - timedelta(minutes=1), TODAY + DAY, False),  # at ten, with the others
        (TEN, TODAY + DAY, True),
        (TEN, TODAY, True),
        (TEN, TODAY + 2 * DAY, False),
        (TEN, TODAY - DAY, False),
        (datetime(2026, 12, 2, 23, 30, tzinfo=UTC), TODAY, True),  # after midnight in Rome
    ],
)
def test_who_books_late_is_told_when_it_becomes_known(
    cloud: Layer, clock: time_machine.Traveller, now: datetime, arrival: date, is_told: bool
) -> None:
    clock.move_to(now)
    keep(cloud, rows.stay(1, arrival, None))
    for _ in range(2):
        changed(cloud, 1)
    assert arrivals(cloud) == (["B-1"] if is_told else [])


def test_who_comes_on_another_day_is_told_anew(cloud: Layer, clock: time_machine.Traveller) -> None:
    clock.move_to(TEN)
    stay = rows.stay(1, TODAY + DAY, None)
    keep(cloud, stay)
    changed(cloud, 1)
    with cloud.store.writing() as session:
        session.merge(rows.stay(1, TODAY, None))
    changed(cloud, 1)
    keys = [payload["dedupe_key"] for _, payload in cloud.commands()]
    assert keys == ["arrival:1:2026-12-04", "arrival:1:2026-12-03"]


def test_around_departure_there_are_a_reminder_before_and_after_and_a_review(
    cloud: Layer, clock: time_machine.Traveller
) -> None:
    keep(cloud, rows.guest(1), rows.guest(2, consent="unknown"), rows.guest(3))
    keep(cloud, rows.stay(1, TODAY - 4 * DAY, TODAY + DAY))
    keep(cloud, rows.stay(2, TODAY - 4 * DAY, TODAY - DAY, status="ended"))
    keep(cloud, rows.stay(3, TODAY - 4 * DAY, TODAY - DAY))
    keep(cloud, rows.stay(4, TODAY - 4 * DAY, TODAY))
    keep(cloud, rows.stay(5, TODAY - 4 * DAY, TODAY - DAY, status="cancelled"))
    keep(cloud, rows.stay(6, TODAY - 9 * DAY, TODAY - 4 * DAY, status="ended"))
    clock.move_to(TEN + timedelta(hours=1))
    for _ in range(2):
        cloud.tick()
        cloud.run_all()
    sent = {payload["dedupe_key"]: payload for _, payload in cloud.commands()}
    assert list(sent) == ["payment:1:before", "payment:2:after", "payment:3:after", "review:3"]
    assert sent["review:3"]["template"] == {
        "name": "review_request",
        "variables": {"link": "https://example.invalid/review"},
    }
    assert sent["payment:1:before"]["booking"] == {"channel": "direct", "code": "B-1"}


def test_who_left_while_nothing_ran_is_written_to_later_and_once(
    cloud: Layer, clock: time_machine.Traveller
) -> None:
    keep(cloud, rows.guest(1), rows.stay(1, TODAY - 4 * DAY, TODAY - 2 * DAY, status="ended"))
    for day in range(4):
        clock.move_to(TEN + timedelta(days=day, hours=1))
        cloud.tick()
        cloud.run_all()
    keys = [payload["dedupe_key"] for _, payload in cloud.commands()]
    assert keys == ["payment:1:after", "review:1"]


def test_without_a_link_no_review_is_asked_for(
    layer: MakeLayer, clock: time_machine.Traveller
) -> None:
    cloud = layer(after_stay, stay_notice)
    keep(cloud, rows.guest(1), rows.stay(1, TODAY - 4 * DAY, TODAY - DAY))
    cloud.begin(after_stay, {})
    cloud.run_all()
    assert [payload["dedupe_key"] for _, payload in cloud.commands()] == ["payment:1:after"]


@pytest.mark.thorough
def test_yesterday_and_the_month_are_counted_each_morning(
    cloud: Layer, clock: time_machine.Traveller
) -> None:
    keep(cloud, rows.guest(1), rows.stay(1, TODAY - 2 * DAY, TODAY + DAY))
    clock.move_to(TEN + timedelta(hours=20))
    cloud.tick()
    cloud.run_all()
    (run,) = cloud.runs(daily_analytics)
    output: dict[str, Any] = cloud.output(run) or {}
    assert (output["day"]["figures"]["first"], output["day"]["figures"]["last"]) == (
        "2026-12-03",
        "2026-12-03",
    )
    assert output["day"]["figures"]["stays"]["nights"] == 1
    assert output["month"]["figures"]["first"] == "2026-12-01"
    assert output["month"]["figures"]["stays"]["nights"] == 3


def test_the_hour_is_the_settings(layer: MakeLayer) -> None:
    jobs = all_jobs(CloudSettings(seal_keys=SEAL_KEYS, arrival_notice_at="17:45"))
    assert jobs.by_name["arrival-notices"].trigger == Cron("45 17 * * *")

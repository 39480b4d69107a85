"""A weather warning reaches who is there, once, and costs no more calls than a day has."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from cloud_jobs.jobs.watch_weather import watch_weather
from cloud_jobs.jobs.weather_alert import weather_alert
from cloud_jobs.sources.weather_watch import WARNING
from cloud_jobs.store.runs import State
from tests.support.cloud_layer import Layer
from tests.support.desk_takes import taken
from tests.support.known_stays import add_stay, guest
from tests.support.outside import openweather as double
from tests.support.outside.server import Outside

MakeLayer = Callable[..., Layer]
Clock = time_machine.Traveller
JOBS = (watch_weather, weather_alert)
TODAY = date(2026, 12, 1)
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)  # 9:00 in Rome
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def clock() -> Iterator[Clock]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def cloud(layer: MakeLayer, outside: Outside, clock: Clock) -> Layer:
    return layer(*JOBS, **asking(outside))


def asking(outside: Outside, **fields: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "openweather_url": outside.url,
        "openweather_key": double.KEY,
        "latitude": "41.9",
        "longitude": "12.5",
    }
    return given | fields


def warning(event: str, start: datetime, end: datetime) -> dict[str, Any]:
    return {
        "sender_name": "Invented Weather",
        "event": event,
        "start": int(start.timestamp()),
        "end": int(end.timestamp()),
        "description": "",
        "tags": ["Wind"],
    }


def watch(cloud: Layer) -> None:
    cloud.begin(watch_weather, {})
    cloud.run_all()


def told(cloud: Layer) -> list[str]:
    taken(cloud)
    return [payload["guest"] for name, payload in cloud.commands() if name == "SEND_MESSAGE"]


def test_who_is_there_is_told_and_nobody_else(cloud: Layer, outside: Outside) -> None:
    add_stay(cloud, 1, TODAY - DAY)
    add_stay(cloud, 2, TODAY)
    add_stay(cloud, 3, TODAY + DAY)
    add_stay(cloud, 4, TODAY - 3 * DAY)  # leaves today, before it begins
    add_stay(cloud, 5, TODAY - DAY, status="cancelled")
    add_stay(cloud, 6, TODAY - 9 * DAY)
    add_stay(cloud, None, TODAY)
    add_stay(cloud, 1, TODAY - DAY, unit="a second room")
    outside.openweather.alerts = [
        warning("Orange Wind Warning", NOW + 4 * HOUR, NOW + 9 * HOUR),
    ]
    watch(cloud)
    assert sorted(told(cloud)) == [guest(1), guest(2)]
    _, payload = cloud.commands()[0]
    assert payload["template"]["name"] == "weather_warning"
    text = payload["template"]["variables"]["warning"]["by_language"]
    assert text["it"] == (
        "vento forte (allerta arancione), martedì 1 dicembre dalle 13:00 alle 18:00"
    )
    assert sorted(text) == ["de", "en", "es", "fr", "it"]


def test_one_that_lasts_reaches_who_comes_into_it(cloud: Layer, outside: Outside) -> None:
    add_stay(cloud, 3, TODAY + DAY)
    add_stay(cloud, 4, TODAY - 3 * DAY)  # is still there when it begins
    add_stay(cloud, 7, TODAY + 3 * DAY)
    outside.openweather.alerts = [warning("Snow", NOW - HOUR, NOW + 2 * DAY)]
    watch(cloud)
    assert sorted(told(cloud)) == [guest(3), guest(4)]


def test_it_is_told_once_and_again_when_it_changes(
    cloud: Layer, outside: Outside, clock: Clock
) -> None:
    add_stay(cloud, 1, TODAY)
    for event, end, messages in (
        ("Yellow Wind Warning", 9, 1),
        ("Yellow Wind Warning", 9, 1),
        ("Yellow Wind Warning", 10, 1),
        ("Yellow Wind Warning", 14, 2),
        ("Red Wind Warning", 14, 3),
    ):
        outside.openweather.alerts = [warning(event, NOW + 4 * HOUR, NOW + end * HOUR)]
        watch(cloud)
        assert len(told(cloud)) == messages, (event, end)
        clock.shift(timedelta(minutes=10))
    keys = {payload["dedupe_key"] for _, payload in cloud.commands()}
    assert len(keys) == 3
    assert all(len(key) <= 100 for key in keys)


def test_what_is_over_by_the_time_notices_go_on_is_told_to_nobody(
    cloud: Layer, outside: Outside, clock: Clock
) -> None:
    add_stay(cloud, 1, TODAY)
    outside.openweather.alerts = [warning("Wind", NOW, NOW + HOUR)]
    cloud.runner.execute(cloud.begin(watch_weather, {}))  # and not what it starts
    clock.shift(2 * HOUR)
    cloud.run_all()
    assert len(cloud.events(WARNING)) == 1
    assert told(cloud) == []


def test_a_day_has_so_many_calls_and_no_more(
    layer: MakeLayer, outside: Outside, clock: Clock
) -> None:
    cloud = layer(*JOBS, **asking(outside, openweather_daily=3))
    outside.fail("openweather", 500)
    watch(cloud)
    for _ in range(2):  # what is tried again counts too
        cloud.hurry()
        cloud.run_all()
    for _ in range(4):
        watch(cloud)
    assert outside.requests["openweather"] == 3
    assert {run.state for run in cloud.runs()} == {State.SUCCEEDED}
    assert cloud.meters() == [("openweather.call", 1)] * outside.openweather.calls
    clock.shift(DAY)
    watch(cloud)
    assert outside.requests["openweather"] == 4


def test_without_warnings_nobody_is_told(cloud: Layer, outside: Outside) -> None:
    add_stay(cloud, 1, TODAY)
    watch(cloud)
    assert (outside.openweather.calls, told(cloud), cloud.events()) == (1, [], [])


def test_without_a_key_nothing_is_asked(layer: MakeLayer, outside: Outside, clock: Clock) -> None:
    cloud = layer(*JOBS, openweather_url=outside.url)
    watch(cloud)
    assert outside.requests["openweather"] == 0
    assert cloud.runs()[0].state == State.SUCCEEDED

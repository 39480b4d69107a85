"""A worker that dies at any point of a job of the outside services repeats and loses nothing.

The numbers are the points: three for each claim, each settling, each step, command, event, use and
child of the run and of those that it starts; none for a decision, which waits for one of them.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloud_jobs.jobs.flight_delay_alert import flight_cancelled_alert, flight_delay_alert
from cloud_jobs.jobs.smoobu_booking import smoobu_booking
from cloud_jobs.jobs.smoobu_changed import smoobu_changed
from cloud_jobs.jobs.smoobu_sync import smoobu_sync
from cloud_jobs.jobs.watch_flights import watch_flights
from cloud_jobs.jobs.watch_weather import watch_weather
from cloud_jobs.jobs.weather_alert import weather_alert
from cloud_jobs.store.known import KnownRequest
from tests.support.cloud_layer import Layer, kill_everywhere
from tests.support.known_stays import add_stay, guest
from tests.support.outside import aeroapi, openweather, smoobu
from tests.support.outside.server import Outside

MakeLayer = Callable[..., Layer]
Prepare = Callable[[Layer], None]
SAMPLES = Path(__file__).parents[2] / "samples/smoobu"
NUMBER = "AZ1572"
HOUR = timedelta(hours=1)


@pytest.fixture
def soon() -> datetime:
    """When what is told of happens."""
    return datetime.now(UTC).replace(microsecond=0) + 4 * HOUR


@pytest.fixture
def zone(soon: datetime) -> str:
    """The property's: it is shortly after midnight there ``soon``.

    Whoever is three hours late is then late for the desk, too, at whatever hour this runs.
    """
    # West is + in these names (tzdata, ``etcetera``): twelve of them, and fourteen in the east.
    west = soon.hour if soon.hour <= 12 else soon.hour - 24
    return f"Etc/GMT{west:+}"


@pytest.fixture
def outside() -> Iterator[Outside]:
    with Outside() as services:
        yield services


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


@pytest.fixture
def cloud(layer: MakeLayer, outside: Outside, zone: str) -> Layer:
    """All of these jobs, with all three services to ask."""
    return layer(
        *(smoobu_booking, smoobu_changed, smoobu_sync),
        *(watch_flights, flight_delay_alert, flight_cancelled_alert),
        *(watch_weather, weather_alert),
        smoobu_url=outside.url,
        smoobu_key=smoobu.KEY,
        smoobu_secret=smoobu.SECRET,
        aeroapi_url=f"{outside.url}/aeroapi",
        aeroapi_key=aeroapi.KEY,
        openweather_url=outside.url,
        openweather_key=openweather.KEY,
        time_zone=zone,
        latitude="41.9",
        longitude="12.5",
        check_in_until="00:01",
    )


@pytest.fixture
def guests_fly(soon: datetime) -> Prepare:
    """Three, of whom one is fetched."""

    def prepare(cloud: Layer) -> None:
        day = aeroapi.night_of(soon, cloud.settings.zone)
        for number in (1, 2, 3):
            code = f"D-{number}"
            add_stay(cloud, number, day, flight_number=NUMBER, code=code, booking_id=number)
        with cloud.store.writing() as session:
            session.add(
                KnownRequest(
                    request_id=1,
                    kind="transfer",
                    state="accepted",
                    booking_id=1,
                    guest=guest(1),
                    made_at=soon,
                    told_at=soon,
                )
            )

    return prepare


# How many points there are at least: a busy machine has a step tried again, or a heart beat more.
@pytest.mark.parametrize("name", ["new", "changed", "cancelled"])
def test_a_webhook(cloud: Layer, name: str) -> None:
    assert kill_everywhere(cloud, smoobu_changed, {"body": sample(name)}) >= 24


def test_a_webhook_with_a_number_alone(cloud: Layer, outside: Outside) -> None:
    outside.smoobu.put(sample("new")["data"])
    body = {"action": "updateReservation", "data": {"id": 999001}}
    assert kill_everywhere(cloud, smoobu_changed, {"body": body}) >= 27


def test_a_message_and_what_cant_be_read(cloud: Layer) -> None:
    message = {"action": "newMessage", "data": {"id": 5, "booking": {"id": 1}}}
    assert kill_everywhere(cloud, smoobu_changed, {"body": message}) >= 9
    unreadable = {"action": "newReservation", "data": {}}
    assert kill_everywhere(cloud, smoobu_changed, {"body": unreadable}) >= 9


def test_a_poll_of_two_pages(
    cloud: Layer, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud_jobs.sources.smoobu.PAGE_SIZE", 1)
    for number in (1, 2):
        outside.smoobu.put(sample("new")["data"] | {"id": number, "departure": "2099-01-01"})
    assert kill_everywhere(cloud, smoobu_sync, {}) >= 51


def test_a_flight_that_is_late(
    cloud: Layer, outside: Outside, soon: datetime, zone: str, guests_fly: Prepare
) -> None:
    outside.aeroapi.put(NUMBER, soon, destination=aeroapi.airport("LIRF", "FCO", zone))
    outside.aeroapi.delay(NUMBER, 3 * HOUR)
    assert kill_everywhere(cloud, watch_flights, {}, prepare=guests_fly) >= 39


def test_a_flight_that_doesnt_come(
    cloud: Layer, outside: Outside, soon: datetime, zone: str, guests_fly: Prepare
) -> None:
    outside.aeroapi.put(NUMBER, soon, destination=aeroapi.airport("LIRF", "FCO", zone))
    outside.aeroapi.cancel(NUMBER)
    assert kill_everywhere(cloud, watch_flights, {}, prepare=guests_fly) >= 27


def test_a_warning(cloud: Layer, outside: Outside, soon: datetime, guests_fly: Prepare) -> None:
    outside.openweather.alerts = [
        {
            "sender_name": "Invented Weather",
            "event": event,
            "start": int((soon + after * HOUR).timestamp()),
            "end": int((soon + (after + 2) * HOUR).timestamp()),
            "tags": [],
        }
        for event, after in (("Yellow Wind Warning", 0), ("Snow", 1))
    ]
    assert kill_everywhere(cloud, watch_weather, {}, prepare=guests_fly) >= 51

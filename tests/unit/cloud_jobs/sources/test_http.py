"""Outside services are asked with patience that ends, and their keys stay where they belong."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import BaseModel

from app.retry_after import LONGEST_RETRY_AFTER
from cloud_jobs.runtime.job import FatalError, RetryableError
from cloud_jobs.sources import http
from cloud_jobs.sources.http import RefusedError, Service, UnavailableError, asked_to_wait
from tests.support.outside import openweather
from tests.support.outside.server import Outside

ROME = {"lat": "41.9", "lon": "12.5", "appid": openweather.KEY}


class Weather(BaseModel):
    timezone: str


@pytest.fixture
def weather(outside: Outside) -> Iterator[Service]:
    with Service("OpenWeather", outside.url) as service:
        yield service


def get(service: Service, **params: str) -> Weather:
    return service.get(openweather.PATH, ROME | params, Weather)


@pytest.mark.thorough
def test_what_fails_in_passing_is_asked_again(outside: Outside, weather: Service) -> None:
    outside.fail("openweather", 503)
    outside.fail("openweather", 0)
    assert get(weather).timezone == "Europe/Rome"
    assert outside.requests["openweather"] == 3


@pytest.mark.thorough
def test_it_is_given_up_after_a_few(outside: Outside, weather: Service) -> None:
    outside.fail("openweather", 500, times=10)
    with pytest.raises(UnavailableError, match="OpenWeather answers 500"):
        get(weather)
    assert outside.requests["openweather"] == http.ATTEMPTS


def test_who_asks_for_a_long_wait_is_left_alone(outside: Outside, weather: Service) -> None:
    outside.fail("openweather", 429, headers={"Retry-After": "90"})
    with pytest.raises(UnavailableError) as caught:
        get(weather)
    assert caught.value.after == timedelta(seconds=90)
    assert outside.requests["openweather"] == 1


def test_a_refusal_is_no_use_asking_again(outside: Outside, weather: Service) -> None:
    with pytest.raises(
        RefusedError, match=r"OpenWeather refuses \(401\): look at its key"
    ) as caught:
        get(weather, appid="wrong")
    assert caught.value.is_about_key
    assert isinstance(caught.value, FatalError)
    assert outside.requests["openweather"] == 1


def test_what_cant_be_read_may_be_better_later(weather: Service) -> None:
    class Other(BaseModel):
        missing: int

    with pytest.raises(UnavailableError, match="can't be read: missing") as caught:
        weather.get(openweather.PATH, ROME, Other)
    assert isinstance(caught.value, RetryableError)


def test_nobody_there_is_an_error_of_its_own() -> None:
    with (
        Service("Nobody", "http://127.0.0.1:9", attempts=1) as nobody,
        pytest.raises(UnavailableError, match=r"Nobody can't be asked \(ConnectError\)"),
    ):
        nobody.get("/", {}, Weather)


def test_an_answer_has_an_end(weather: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_ANSWER", 10)
    with pytest.raises(UnavailableError, match="too large"):
        get(weather)


def test_the_key_is_in_no_log_and_in_no_error(
    outside: Outside, weather: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    get(weather)
    outside.fail("openweather", 404)
    with pytest.raises(RefusedError) as caught:
        get(weather)
    assert openweather.PATH in caplog.text
    assert openweather.KEY not in caplog.text
    assert openweather.KEY not in f"{caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Retry-After": "7"}, timedelta(seconds=7)),
        ({"X-RateLimit-Retry-After": "12"}, timedelta(seconds=12)),
        ({"X-RateLimit-Retry-After": "soon"}, None),
        ({"X-RateLimit-Retry-After": "99999999"}, LONGEST_RETRY_AFTER),
        ({"X-RateLimit-Retry-After": "1000000000"}, timedelta(0)),  # a moment in 2001
    ],
)
def test_services_say_when_to_come_back(headers: dict[str, str], wait: timedelta | None) -> None:
    assert asked_to_wait(httpx.Headers(headers)) == wait


def test_a_moment_to_come_back_at_is_understood() -> None:
    at = int((datetime.now(UTC) + timedelta(minutes=1)).timestamp())
    wait = asked_to_wait(httpx.Headers({"X-RateLimit-Retry-After": str(at)}))
    assert wait is not None
    assert timedelta(0) < wait <= timedelta(minutes=1)

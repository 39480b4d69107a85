"""The doubles are as strict as the contracts: what they let pass the real ones would too."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud_jobs.sources.smoobu_auth import HmacAuth
from tests.support.outside import aeroapi, openweather, smoobu
from tests.support.outside.server import Outside

SAMPLES = Path(__file__).parents[3] / "samples"
NOW = datetime.now(UTC)


def signed(outside: Outside, query: str = "", at: datetime = NOW, nonce: str = "n") -> Any:
    request = httpx.Request("GET", f"{outside.url}/api/reservations{query}")
    HmacAuth(smoobu.KEY, smoobu.SECRET).sign(request, at, nonce)
    with httpx.Client() as client:
        answer = client.send(request)
    return answer.status_code, answer.json()


def test_smoobu_takes_a_nonce_once_and_only_now(outside: Outside) -> None:
    assert signed(outside)[0] == 200
    assert signed(outside) == (401, {"title": "Error occurred", "detail": "verification error"})
    assert signed(outside, at=NOW - timedelta(minutes=6), nonce="another")[0] == 401
    assert signed(outside, "?page=1&arrivalFrom=2026-12-01", nonce="a third")[0] == 200


@pytest.mark.parametrize("query", ["?modified_from=2026-12-01", "?pageSize=101", "?page=first"])
def test_smoobu_refuses_what_isnt_documented(outside: Outside, query: str) -> None:
    assert signed(outside, query)[0] == 422


@pytest.mark.parametrize("name", ["on_time", "delayed", "cancelled"])
def test_flights_are_written_as_they_were_recorded(name: str) -> None:
    recorded = json.loads((SAMPLES / f"flightaware/{name}.json").read_text())["flights"][0]
    double = aeroapi.AeroApi()
    flight = double.put("LH1842", datetime.fromisoformat(recorded["scheduled_in"]))
    if name == "delayed":
        double.delay("LH1842", timedelta(hours=3, minutes=2))
    if name == "cancelled":
        double.cancel("LH1842")
    assert set(flight) <= set(recorded)
    same = ("ident", "ident_iata", "cancelled", "scheduled_in", "arrival_delay")
    assert {field: flight[field] for field in same} == {field: recorded[field] for field in same}
    if name == "delayed":
        assert flight["estimated_in"] == recorded["estimated_in"]
    assert set(flight["destination"]) == set(recorded["destination"])


def test_aeroapi_refuses_as_it_was_recorded(outside: Outside) -> None:
    answer = httpx.get(f"{outside.url}/aeroapi/flights/AZ1", headers={"x-apikey": "wrong"})
    assert answer.status_code == 401
    assert answer.json()["reason"] == _recorded()["reason"]
    assert set(answer.json()) == set(_recorded())
    right = {"x-apikey": aeroapi.KEY}
    late = {"end": (datetime.now(UTC) + timedelta(days=3)).isoformat()}
    for params in (late, {"date": "today"}, {"ident_type": "name"}):
        answer = httpx.get(f"{outside.url}/aeroapi/flights/AZ1", headers=right, params=params)
        assert answer.status_code == 400


def test_openweather_leaves_the_key_out_and_blocks_who_asks_too_often(outside: Outside) -> None:
    outside.openweather.daily = 1
    params = {"lat": "41.9", "lon": "12.5", "appid": openweather.KEY}
    url = f"{outside.url}{openweather.PATH}"
    assert "alerts" not in httpx.get(url, params=params).json()
    assert httpx.get(url, params=params).status_code == 429
    assert httpx.get(url, params=params | {"lat": "91"}).status_code == 400
    assert httpx.get(url, params=params | {"cnt": "1"}).status_code == 400
    assert httpx.get(url, params=params | {"appid": "x"}).json()["cod"] == 401


def test_it_is_controlled_from_outside(outside: Outside) -> None:
    def control(what: str, body: dict[str, Any]) -> Any:
        answer = httpx.post(f"{outside.url}/control/{what}", json=body)
        return answer.raise_for_status().json()

    arrives = (NOW + timedelta(hours=5)).isoformat()
    control("flight", {"ident": "AZ1572", "arrives": arrives})
    control("delay", {"ident": "AZ1572", "minutes": 90})
    control("land", {"ident": "AZ1572"})
    control("cancel", {"ident": "AZ1572"})
    (flight,) = outside.aeroapi.flights.values()
    assert (flight["arrival_delay"], flight["cancelled"]) == (None, True)
    assert flight["actual_in"] == flight["estimated_in"]
    assert control("booking", {"booking": {"id": 5}})["booking"]["id"] == 5
    control("alerts", {"alerts": [{"event": "x"}]})
    control("fail", {"service": "smoobu", "status": 500})
    assert httpx.get(f"{outside.url}/api/reservations").status_code == 500
    assert httpx.get(f"{outside.url}/api/reservations").status_code == 401
    calls = httpx.get(f"{outside.url}/control/calls").json()
    assert calls == {"smoobu": 0, "aeroapi": 0, "openweather": 0}
    assert httpx.post(f"{outside.url}/control/unknown", json={}).status_code == 404


def _recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / "flightaware/error_401.json").read_text())
    return found

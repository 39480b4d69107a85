"""FlightAware's AeroAPI, ``GET /flights/{ident}`` alone.

It can't show when a real flight's estimate appears, how the real one names a flight that it no
longer tracks, whether an error is billed, or what its 429 looks like: none is documented.
"""

import os
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from tests.support.outside.wire import Answer, Asked, unknown

KEY = os.environ.get("OUTSIDE_AEROAPI_KEY", "aeroapi-key")
KNOWN = {"ident_type", "start", "end", "max_pages", "cursor"}
TYPES = {"designator", "registration", "fa_flight_id"}
FLIGHTS = "/aeroapi/flights/"
# What one result set holds.
PAGE = 15


class AeroApi:
    """Flights, as AeroAPI writes them, by their ``fa_flight_id``; ``asked`` is what was asked."""

    name = "aeroapi"
    prefix = "/aeroapi/"

    def __init__(self) -> None:
        self.calls = 0
        self.asked: list[str] = []
        self.flights: dict[str, dict[str, Any]] = {}

    def answer(self, asked: Asked) -> Answer:
        """Answer a request."""
        if asked.headers.get("x-apikey") != KEY:
            return _error(401, "INVALID_API_KEY", "Invalid API key")
        if asked.method != "GET" or not asked.path.startswith(FLIGHTS):
            return _error(404, "NOT_FOUND", "No such resource")
        if wrong := _wrong(asked):
            return _error(400, "INVALID_ARGUMENT", wrong)
        ident = unquote(asked.path.removeprefix(FLIGHTS))
        found = [
            flight
            for flight in self.flights.values()
            if _is_named(flight, ident, asked.params) and _is_within(flight, asked.params)
        ]
        found.sort(key=lambda flight: str(flight["scheduled_out"]), reverse=True)
        self.calls += 1
        self.asked.append(ident)
        return Answer(200, {"links": None, "num_pages": 1, "flights": found[:PAGE]})

    def put(self, ident: str, arrives: datetime, **fields: Any) -> dict[str, Any]:
        """A flight of two hours that is to be at its gate at ``arrives``; ``fields`` are more."""
        carrier, number = ident[:2], ident[2:]
        icao = f"{_ICAO.get(carrier, 'DLH')}{number}"
        left = arrives - timedelta(hours=2)
        flight_id = f"{icao}-{int(left.timestamp())}-schedule-0001"
        flight: dict[str, Any] = {
            "ident": icao,
            "ident_icao": icao,
            "ident_iata": ident,
            "fa_flight_id": flight_id,
            "flight_number": number,
            "codeshares": [],
            "blocked": False,
            "diverted": False,
            "cancelled": False,
            "position_only": False,
            "origin": airport("EDDM", "MUC", "Europe/Berlin"),
            "destination": airport("LIRF", "FCO", "Europe/Rome"),
            "departure_delay": 0,
            "arrival_delay": 0,
            "status": "Scheduled",
            "type": "Airline",
            "scheduled_out": _z(left),
            "scheduled_off": _z(left + timedelta(minutes=10)),
            "scheduled_on": _z(arrives - timedelta(minutes=10)),
            "scheduled_in": _z(arrives),
            **{f"{kind}_{at}": None for kind in ("estimated", "actual") for at in _POINTS},
        }
        self.flights[flight_id] = flight | fields
        return self.flights[flight_id]

    def delay(self, ident: str, by: timedelta) -> None:
        """The flights of this number are expected so much later than they were to come."""
        for flight in self._called(ident):
            for at in _POINTS:
                scheduled = datetime.fromisoformat(str(flight[f"scheduled_{at}"]))
                flight[f"estimated_{at}"] = _z(scheduled + by)
            seconds = int(by.total_seconds())
            flight.update(departure_delay=seconds, arrival_delay=seconds, status="Delayed")

    def land(self, ident: str) -> None:
        """They are at the gate, at the time that was expected."""
        for flight in self._called(ident):
            for at in _POINTS:
                flight[f"actual_{at}"] = flight[f"estimated_{at}"] or flight[f"scheduled_{at}"]

    def cancel(self, ident: str) -> None:
        """They don't fly."""
        for flight in self._called(ident):
            flight.update(
                cancelled=True, status="Cancelled", arrival_delay=None, departure_delay=None
            )

    def _called(self, ident: str) -> list[dict[str, Any]]:
        return [flight for flight in self.flights.values() if flight["ident_iata"] == ident]


_POINTS = ("out", "off", "on", "in")
_ICAO = {"AZ": "ITY", "LH": "DLH", "FR": "RYR"}


def night_of(lands: datetime, zone: ZoneInfo) -> date:
    """The day that its passengers have booked from: what lands before four is of the day before."""
    return (lands.astimezone(zone) - timedelta(hours=4)).date()


def _wrong(asked: Asked) -> str | None:
    params = asked.params
    if refused := unknown(asked, KNOWN):
        return f"unknown parameters: {', '.join(refused)}"
    if params.get("ident_type", "designator") not in TYPES:
        return "ident_type"
    now = datetime.now(UTC)
    try:
        start = datetime.fromisoformat(params["start"]) if "start" in params else now
        end = datetime.fromisoformat(params["end"]) if "end" in params else now
    except ValueError:
        return "start or end is no time"
    if start < now - timedelta(days=10) or end > now + timedelta(days=2, seconds=5):
        return "start is too early, or end is too late"
    return None


def _is_named(flight: dict[str, Any], ident: str, params: dict[str, str]) -> bool:
    if params.get("ident_type") == "fa_flight_id":
        return bool(flight["fa_flight_id"] == ident)
    return ident in {flight["ident"], flight["ident_icao"], flight["ident_iata"]}


def _is_within(flight: dict[str, Any], params: dict[str, str]) -> bool:
    if params.get("ident_type") == "fa_flight_id":
        return True
    out = datetime.fromisoformat(str(flight["scheduled_out"]))
    if "start" in params and out < datetime.fromisoformat(params["start"]):
        return False
    return "end" not in params or out < datetime.fromisoformat(params["end"])


def airport(icao: str, iata: str, zone: str) -> dict[str, Any]:
    """An airport where clocks go by ``zone``."""
    return {
        "code": icao,
        "code_icao": icao,
        "code_iata": iata,
        "code_lid": None,
        "timezone": zone,
        "name": iata,
        "city": iata,
        "airport_info_url": f"/airports/{icao}",
    }


def _z(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _error(status: int, reason: str, detail: str) -> Answer:
    return Answer(status, {"title": detail, "reason": reason, "detail": detail, "status": status})

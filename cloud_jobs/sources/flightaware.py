"""FlightAware's AeroAPI: one flight of one day.

Each answer is a result set, and costs. A number flies every day, so several days' flights come
back; the one is meant that is to be at its gate on the day, by the clock of where it lands.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from app.settings_values import time_zones
from cloud_jobs.settings import CloudSettings
from cloud_jobs.sources.http import Params, Service

NAME: Final = "FlightAware"
# What one answer is called in costs.yml.
RESULT_SET: Final = "flightaware.result_set"
# How far ahead of now may be asked; not quite, for its clock may be behind ours.
_FURTHEST: Final = timedelta(days=2) - timedelta(minutes=5)
_DAY: Final = timedelta(days=1)
# Who lands before has booked the night that ends; who lands later comes early for the next one.
_MORNING: Final = time(4)


def _known_zone(value: object) -> str | None:
    return value if isinstance(value, str) and value in time_zones() else None


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Airport(_Read):
    """``timezone`` as in Europe/Rome."""

    timezone: Annotated[str | None, BeforeValidator(_known_zone)] = None


class Flight(_Read):
    """One flight of one day. Times are aware, and null until they are known.

    ``cancelled`` is also said of what is no longer tracked; ``arrival_delay`` is in seconds.
    """

    fa_flight_id: str = Field(max_length=80)
    ident_icao: str | None = None
    cancelled: bool = False
    diverted: bool = False
    destination: Airport | None = None
    arrival_delay: int | None = None
    scheduled_out: AwareDatetime | None = None
    actual_out: AwareDatetime | None = None
    actual_off: AwareDatetime | None = None
    scheduled_on: AwareDatetime | None = None
    estimated_on: AwareDatetime | None = None
    actual_on: AwareDatetime | None = None
    scheduled_in: AwareDatetime | None = None
    estimated_in: AwareDatetime | None = None
    actual_in: AwareDatetime | None = None

    @property
    def due_in(self) -> datetime | None:
        """When it is to be at its gate by the schedule; on the ground, where there is no more."""
        return self.scheduled_in or self.scheduled_on

    @property
    def expected_in(self) -> datetime | None:
        """When it is there as far as is known by now."""
        if known := self.actual_in or self.estimated_in:
            return known
        if self.due_in is not None and self.arrival_delay is not None:
            return self.due_in + timedelta(seconds=self.arrival_delay)
        return self.actual_on or self.estimated_on or self.due_in

    @property
    def has_landed(self) -> bool:
        """Whether it is on the ground."""
        return self.actual_in is not None or self.actual_on is not None

    @property
    def is_off(self) -> bool:
        """Whether it doesn't come: cancelled before it left. Later that means that nobody looks."""
        return self.cancelled and self.actual_out is None and self.actual_off is None

    def lands_on(self, elsewhere: ZoneInfo) -> date | None:
        """The day of its arrival by the clock there, by ``elsewhere`` if that isn't known; in the
        small hours the day before, whose night its passengers have booked."""
        if self.due_in is None:
            return None
        zone = self.destination.timezone if self.destination else None
        there = self.due_in.astimezone(ZoneInfo(zone) if zone else elsewhere)
        return there.date() - (_DAY if there.time() < _MORNING else timedelta())


class Flights(_Read):
    """An answer."""

    flights: tuple[Flight, ...] = ()


def is_configured(settings: CloudSettings) -> bool:
    """Whether FlightAware can be asked."""
    return bool(settings.aeroapi_key.get_secret_value())


@contextmanager
def opened(settings: CloudSettings) -> Iterator[Service]:
    """FlightAware, with the key."""
    headers = {"x-apikey": settings.aeroapi_key.get_secret_value()}
    with Service(NAME, f"{settings.aeroapi_url}", headers=headers) as service:
        yield service


def of_day(service: Service, number: str, day: date, now: datetime) -> Flights:
    """The flights of a number about a day: one result set. Raises as `Service.get`."""
    midnight = datetime.combine(day, time(), tzinfo=UTC)
    params: Params = {
        "ident_type": "designator",
        "start": _z(midnight - _DAY),
        "end": _z(min(midnight + 2 * _DAY, now + _FURTHEST)),
        "max_pages": 1,
    }
    return service.get(_path(number), params, Flights)


def one(service: Service, fa_flight_id: str) -> Flights:
    """The flight that FlightAware calls so: one result set. Raises as `Service.get`."""
    params: Params = {"ident_type": "fa_flight_id", "max_pages": 1}
    return service.get(_path(fa_flight_id), params, Flights)


def pick(found: Flights, day: date, zone: ZoneInfo) -> Flight | None:
    """The one that lands on the day; of several, one that comes, to where the property's clock
    goes, and the last: a flight with a stop on the way has a part for each."""
    landing = [flight for flight in found.flights if flight.lands_on(zone) == day]
    return max(landing, key=lambda flight: _rank(flight, zone), default=None)


def _rank(flight: Flight, zone: ZoneInfo) -> tuple[bool, bool, datetime]:
    there = flight.destination.timezone if flight.destination else None
    due = flight.due_in
    assert due is not None  # it lands on a day
    return not (flight.cancelled or flight.diverted), there == zone.key, due


def _path(ident: str) -> str:
    return f"/flights/{quote(ident, safe='')}"


def _z(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

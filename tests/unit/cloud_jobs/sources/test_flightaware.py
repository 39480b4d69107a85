"""FlightAware is read as recorded; of several days' flights the right one is taken."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from cloud_jobs.settings import CloudSettings
from cloud_jobs.sources import flight_watch, flightaware
from cloud_jobs.sources.flight_watch import Tell, outcome
from cloud_jobs.sources.flightaware import Flight, Flights, pick
from cloud_jobs.sources.http import RefusedError
from cloud_jobs.store import sources as store
from tests.support.cloud_layer import SEAL_KEYS
from tests.support.outside import aeroapi as double
from tests.support.outside.server import Outside

SAMPLES = Path(__file__).parents[3] / "samples/flightaware"
ROME = ZoneInfo("Europe/Rome")
DAY = date(2026, 12, 1)
DUE = datetime(2026, 12, 1, 11, 40, tzinfo=UTC)
SETTINGS = CloudSettings(_env_file=None, seal_keys=SEAL_KEYS)


def sample(name: str) -> Flight:
    body = (SAMPLES / f"{name}.json").read_text()
    found = pick(Flights.model_validate_json(body), DAY, ROME)
    assert found is not None
    return found


def flight(**fields: Any) -> Flight:
    body = json.loads((SAMPLES / "on_time.json").read_text())["flights"][0]
    return Flight.model_validate(body | fields)


def row(**fields: Any) -> store.Flight:
    given = {"number": "LH1842", "day": DAY, "fa_flight_id": None, "told_in": None, "changes": 0}
    return store.Flight(**(given | fields))


def settings(outside: Outside, key: str = double.KEY) -> CloudSettings:
    return CloudSettings(
        _env_file=None, seal_keys=SEAL_KEYS, aeroapi_url=f"{outside.url}/aeroapi", aeroapi_key=key
    )


@pytest.mark.parametrize(
    ("name", "late", "is_off"),
    [
        ("on_time", timedelta(0), False),
        ("delayed", timedelta(hours=3, minutes=2), False),
        ("cancelled", timedelta(0), True),
    ],
)
def test_the_recorded_answers_are_read(name: str, late: timedelta, is_off: bool) -> None:
    seen = sample(name)
    assert seen.fa_flight_id == "DLH1842-1790000000-schedule-0001"
    assert seen.due_in == DUE
    assert seen.expected_in == DUE + late
    assert (seen.is_off, seen.has_landed) == (is_off, False)


def test_only_times_that_are_known_count() -> None:
    assert flight(estimated_in=None, arrival_delay=600).expected_in == DUE + timedelta(minutes=10)
    assert flight(estimated_in=None, arrival_delay=None).expected_in == DUE - timedelta(minutes=10)
    nothing = {"estimated_in": None, "arrival_delay": None, "estimated_on": None}
    assert flight(**nothing).expected_in == DUE
    assert flight(**nothing, scheduled_in=None).due_in == DUE - timedelta(minutes=10)


def test_the_flight_of_the_day_is_taken_by_the_clock_where_it_lands() -> None:
    early = {"scheduled_in": "2026-12-01T03:30:00Z", "fa_flight_id": "half-past-four-in-Rome"}
    found = Flights(
        flights=(
            flight(scheduled_in="2026-12-02T11:40:00Z", fa_flight_id="the-day-after"),
            flight(**early),
            flight(scheduled_in="2026-11-30T11:40:00Z", fa_flight_id="the-day-before"),
        )
    )
    taken = pick(found, DAY, ROME)
    assert taken is not None
    assert taken.fa_flight_id == "half-past-four-in-Rome"
    there = {"destination": {"timezone": "Europe/London"}}
    assert pick(Flights(flights=(flight(**early, **there),)), DAY, ROME) is None


@pytest.mark.parametrize(
    ("lands", "day"),
    [
        ("2026-12-01T22:59:00Z", DAY),  # 23:59 in Rome
        ("2026-12-01T23:40:00Z", DAY),  # 00:40
        ("2026-12-02T02:59:00Z", DAY),  # 03:59
        ("2026-12-02T03:00:00Z", DAY + timedelta(days=1)),  # 04:00
    ],
)
def test_who_lands_in_the_small_hours_has_booked_the_night_before(lands: str, day: date) -> None:
    assert flight(scheduled_in=lands).lands_on(ROME) == day


def test_one_that_comes_is_taken_before_one_that_doesnt_and_the_last_part_of_two() -> None:
    parts = (
        flight(fa_flight_id="first", scheduled_in="2026-12-01T08:00:00Z"),
        flight(fa_flight_id="last", scheduled_in="2026-12-01T11:40:00Z"),
        flight(fa_flight_id="off", scheduled_in="2026-12-01T12:40:00Z", cancelled=True),
    )
    taken = pick(Flights(flights=parts), DAY, ROME)
    assert taken is not None
    assert taken.fa_flight_id == "last"


def test_a_flight_is_asked_for_by_number_and_by_name(outside: Outside) -> None:
    now = datetime.now(UTC)
    arrives = now + timedelta(hours=5)
    put = outside.aeroapi.put("AZ1572", arrives)
    outside.aeroapi.put("AZ1572", arrives - timedelta(days=1))
    day = double.night_of(arrives, ROME)
    with flightaware.opened(settings(outside)) as service:
        found = pick(flightaware.of_day(service, "AZ1572", day, now), day, ROME)
        assert found is not None
        assert found.fa_flight_id == put["fa_flight_id"]
        (same,) = flightaware.one(service, found.fa_flight_id).flights
    assert same == found
    assert outside.aeroapi.calls == 2


@pytest.mark.parametrize("days", [-1, 0, 1, 2])
def test_what_is_asked_is_within_what_may_be_asked(outside: Outside, days: int) -> None:
    now = datetime.now(UTC)
    with flightaware.opened(settings(outside)) as service:
        flightaware.of_day(service, "AZ1572", now.date() + timedelta(days=days), now)


def test_a_wrong_key_is_refused(outside: Outside) -> None:
    with (
        flightaware.opened(settings(outside, "wrong")) as service,
        pytest.raises(RefusedError) as caught,
    ):
        flightaware.one(service, "any")
    assert caught.value.is_about_key


def test_a_change_is_told_when_it_is_large_enough_either_way() -> None:
    now = DUE - timedelta(hours=4)
    told = row(told_in=DUE + timedelta(hours=3))
    cases: list[tuple[store.Flight, timedelta, Tell | None]] = [
        (row(), timedelta(minutes=29), None),
        (row(), timedelta(minutes=30), Tell.MOVED),
        (row(), timedelta(minutes=-30), Tell.MOVED),
        (told, timedelta(hours=3), None),
        (told, timedelta(hours=3, minutes=29), None),
        (told, timedelta(hours=3, minutes=30), Tell.MOVED),
        (told, timedelta(hours=2, minutes=30), Tell.MOVED),
        (told, timedelta(0), Tell.MOVED),
    ]
    for before, late, tell in cases:
        what = outcome(before, flight(estimated_in=DUE + late), SETTINGS, now)
        assert what.tell == tell, late
        assert what.told_in == (DUE + late if tell else before.told_in)
        assert what.changes == (1 if tell else 0)


@pytest.mark.parametrize(
    ("fields", "tell", "cancelled"),
    [
        ({"cancelled": True}, Tell.CANCELLED, True),
        ({"diverted": True}, Tell.CANCELLED, True),
        # It flew, and nobody looks any more: no news.
        ({"cancelled": True, "actual_out": "2026-12-01T10:00:00Z"}, None, False),
        # It has landed late: they know.
        ({"actual_in": "2026-12-01T15:00:00Z"}, None, False),
    ],
)
def test_what_ends_a_flight_ends_the_asking(
    fields: dict[str, Any], tell: Tell | None, cancelled: bool
) -> None:
    what = outcome(row(), flight(**fields), SETTINGS, DUE)
    assert (what.tell, what.cancelled, what.ask_at) == (tell, cancelled, None)


def test_it_is_asked_for_when_it_matters() -> None:
    def next_ask(late: timedelta, now: datetime) -> datetime | None:
        return outcome(row(), flight(estimated_in=DUE + late), SETTINGS, now).ask_at

    hour = timedelta(hours=1)
    assert next_ask(0 * hour, DUE - 18 * hour) == DUE - 6 * hour
    assert next_ask(10 * hour, DUE - 18 * hour) == DUE + 4 * hour
    assert next_ask(10 * hour, DUE - hour) == DUE - hour + flight_watch.LATE_AGAIN_IN
    assert next_ask(6 * hour, DUE - hour / 2) == DUE
    assert next_ask(0 * hour, DUE - 5 * hour) == DUE - 5 * hour + flight_watch.AGAIN_IN
    assert next_ask(0 * hour, DUE + 3 * hour) == DUE + 3 * hour + flight_watch.AGAIN_IN
    assert next_ask(0 * hour, DUE + 5 * hour) is None


def test_a_number_that_nobody_flies_is_asked_for_a_few_times_a_day() -> None:
    what = outcome(row(), None, SETTINGS, DUE)
    assert what.ask_at == DUE + flight_watch.UNKNOWN_AGAIN_IN
    renamed = outcome(row(fa_flight_id="old"), None, SETTINGS, DUE)
    assert (renamed.fa_flight_id, renamed.ask_at) == (None, DUE + flight_watch.AGAIN_IN)


MOMENTS = st.integers(-2_000, 2_000).map(lambda minutes: DUE + timedelta(minutes=minutes))
TIMES = st.none() | MOMENTS.map(datetime.isoformat)
POINTS = [
    f"{when}_{at}" for when in ("scheduled", "estimated", "actual") for at in ("out", "on", "in")
]


@pytest.mark.thorough
@trying(max_examples=50)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "fa_flight_id": st.text(max_size=5),
                "cancelled": st.booleans(),
                "diverted": st.booleans(),
                "arrival_delay": st.none() | st.integers(-86_400, 86_400),
                "destination": st.none()
                | st.fixed_dictionaries({"timezone": st.sampled_from(["Europe/Rome", "x", None])}),
                **dict.fromkeys(POINTS, TIMES),
            }
        ),
        max_size=4,
    ),
    MOMENTS,
)
def test_whatever_is_known_something_sensible_follows(bodies: list[Any], now: datetime) -> None:
    found = Flights.model_validate({"flights": bodies})
    seen = pick(found, DAY, ROME)
    if seen is not None:
        assert seen.lands_on(ROME) == DAY
    what = outcome(row(), seen, SETTINGS, now)
    assert what.ask_at is None or what.ask_at > now
    if what.tell is Tell.MOVED:
        assert what.told_in == what.expected_in
        assert not what.landed

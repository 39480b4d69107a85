"""Guests' flights: who is told, when, how often, and what the asking costs."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import update

from cloud_jobs.jobs.flight_delay_alert import flight_cancelled_alert, flight_delay_alert, spaced
from cloud_jobs.jobs.watch_flights import watch_flights
from cloud_jobs.known.flights import CANCELLED, MOVED
from cloud_jobs.store.known import KnownRequest, KnownStay
from cloud_jobs.store.runs import State
from tests.support.cloud_layer import Layer
from tests.support.desk_takes import taken
from tests.support.known_stays import add_stay, guest
from tests.support.outside import aeroapi as double
from tests.support.outside.server import Outside

MakeLayer = Callable[..., Layer]
Clock = time_machine.Traveller
JOBS = (watch_flights, flight_delay_alert, flight_cancelled_alert)
DAY = date(2026, 12, 1)
DUE = datetime(2026, 12, 1, 14, tzinfo=UTC)  # 15:00 in Rome
EVENING = datetime(2026, 11, 30, 17, tzinfo=UTC)  # 18:00 there, six hours before the day
MORNING = DUE - timedelta(hours=4)
NEXT = timedelta(minutes=15)
HOUR = timedelta(hours=1)
NUMBER = "AZ1572"


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Stands in the morning of the day, until it is moved."""
    with time_machine.travel(MORNING, tick=False) as traveller:
        yield traveller


@pytest.fixture
def cloud(layer: MakeLayer, outside: Outside, clock: Clock) -> Layer:
    """It watches, and three guests come by AZ 1572."""
    outside.aeroapi.put(NUMBER, DUE)
    made = layer(*JOBS, aeroapi_url=f"{outside.url}/aeroapi", aeroapi_key=double.KEY)
    for number in (1, 2, 3):
        add_stay(made, number, DAY, flight_number="AZ1572", unit=f"Room {number}")
    return made


def watch(cloud: Layer, clock: Clock, after: timedelta = NEXT) -> None:
    clock.shift(after)
    cloud.begin(watch_flights, {})
    cloud.run_all()


def sent(cloud: Layer) -> list[tuple[str, str, Any]]:
    """Guest, template, and when it says that the flight, or the driver, comes."""
    taken(cloud)
    found = []
    for name, payload in cloud.commands():
        if name == "SEND_MESSAGE":
            values = payload["template"]["variables"]
            moment = (values.get("arrival") or values["pickup"])["moment"]
            found.append((payload["guest"], payload["template"]["name"], moment))
    return found


def alerts(cloud: Layer) -> dict[str, str]:
    taken(cloud)
    return {
        payload["kind"]: payload["text"]
        for name, payload in cloud.commands()
        if name == "ALERT_DESK"
    }


def to_all(template: str, late: timedelta) -> list[tuple[str, str, str]]:
    return [(guest(number), template, (DUE + late).isoformat()) for number in (1, 2, 3)]


@pytest.mark.thorough
def test_a_flight_that_turns_three_hours_late_is_told_to_each_once(
    cloud: Layer, clock: Clock, outside: Outside
) -> None:
    watch(cloud, clock)
    assert sent(cloud) == []
    outside.aeroapi.delay(NUMBER, timedelta(hours=3))
    for _ in range(3):
        watch(cloud, clock)
    assert sent(cloud) == to_all("flight_delay", timedelta(hours=3))
    outside.aeroapi.delay(NUMBER, timedelta(hours=3, minutes=29))
    watch(cloud, clock)
    assert len(sent(cloud)) == 3
    outside.aeroapi.delay(NUMBER, timedelta(hours=3, minutes=31))
    watch(cloud, clock)
    watch(cloud, clock)
    assert sent(cloud)[3:] == to_all("flight_delay", timedelta(hours=3, minutes=31))
    assert len(cloud.events(MOVED)) == 2


def test_it_comes_on_time_after_all(cloud: Layer, clock: Clock, outside: Outside) -> None:
    for late in (timedelta(hours=3), timedelta(0), timedelta(hours=3)):
        outside.aeroapi.delay(NUMBER, late)
        watch(cloud, clock, HOUR)
    assert sent(cloud)[3:6] == to_all("flight_time", timedelta(0))
    keys = {payload["dedupe_key"] for _, payload in cloud.commands()}
    assert len(keys) == 3  # the third change is news, though the time was told before
    assert all(len(key) <= 100 for key in keys)


def test_who_is_fetched_is_told_when_and_the_desk_whom(
    cloud: Layer, clock: Clock, outside: Outside
) -> None:
    now = datetime.now(UTC)
    fetched = add_stay(cloud, 4, DAY, flight_number=NUMBER, unit="Room 4")
    offered = add_stay(cloud, 5, DAY, flight_number=NUMBER, unit="Room 5")
    with cloud.store.writing() as session:
        for number, state in ((fetched, "accepted"), (offered, "offered")):
            session.add(
                KnownRequest(
                    request_id=number,
                    kind="transfer",
                    state=state,
                    booking_id=number,
                    made_at=now,
                    told_at=now,
                )
            )
    outside.aeroapi.delay(NUMBER, timedelta(hours=3))
    watch(cloud, clock)
    pickup = (DUE + timedelta(hours=3, minutes=30)).isoformat()
    assert [one for one in sent(cloud) if one[0] == guest(4)] == [
        (guest(4), "pickup_changed", pickup)
    ]
    assert [one[1] for one in sent(cloud) if one[0] == guest(5)] == ["flight_delay"]
    assert "18:30" in alerts(cloud)["transfer_moved"]
    assert "Room 4" in alerts(cloud)["transfer_moved"]
    assert "Room 5" not in alerts(cloud)["transfer_moved"]


def test_only_those_who_come_by_it_are_told(cloud: Layer, clock: Clock, outside: Outside) -> None:
    add_stay(cloud, 6, DAY, flight_number="AZ1573")
    add_stay(cloud, 7, DAY + timedelta(days=1), flight_number=NUMBER)
    add_stay(cloud, 8, DAY, flight_number=NUMBER, status="cancelled")
    add_stay(cloud, None, DAY, flight_number=NUMBER)
    outside.aeroapi.delay(NUMBER, timedelta(hours=3))
    watch(cloud, clock)
    assert sent(cloud) == to_all("flight_delay", timedelta(hours=3))
    (run,) = cloud.runs(flight_delay_alert)
    assert cloud.output(run) == {"guests": 3, "unnamed": 1}


def test_news_that_is_old_by_the_time_notices_go_on_is_no_news(
    cloud: Layer, clock: Clock, outside: Outside
) -> None:
    for hours in (3, 5):
        outside.aeroapi.delay(NUMBER, timedelta(hours=hours))
        clock.shift(HOUR)
        run_id = cloud.begin(watch_flights, {})
        cloud.runner.execute(run_id)  # and not what it starts
    assert len(cloud.events(MOVED)) == 2
    cloud.run_all()
    assert sent(cloud) == to_all("flight_delay", timedelta(hours=5))


def test_a_cancelled_flight_is_told_to_the_desk_once(
    cloud: Layer, clock: Clock, outside: Outside
) -> None:
    outside.aeroapi.cancel(NUMBER)
    for _ in range(3):
        watch(cloud, clock)
    assert sent(cloud) == []
    assert len(cloud.events(CANCELLED)) == 1
    assert "Room 1, Room 2, Room 3" in alerts(cloud)["flight_cancelled"]
    assert outside.aeroapi.calls == 1


def test_the_desk_knows_who_comes_when_check_in_is_over(
    layer: MakeLayer, clock: Clock, outside: Outside
) -> None:
    outside.aeroapi.put(NUMBER, DUE)
    cloud = layer(
        *JOBS,
        aeroapi_url=f"{outside.url}/aeroapi",
        aeroapi_key=double.KEY,
        check_in_until="20:00",
        transfer_time="5400",
    )
    add_stay(cloud, 1, DAY, flight_number=NUMBER, unit="Room 1")
    outside.aeroapi.delay(NUMBER, timedelta(hours=4))
    watch(cloud, clock)
    assert "20:30" in alerts(cloud)["arrival_after_hours"]


@pytest.mark.thorough
def test_a_day_of_watching_asks_only_while_it_matters(
    cloud: Layer, clock: Clock, outside: Outside
) -> None:
    asked_at = []
    for since, ticks in ((EVENING - HOUR, 4), (DUE - 7 * HOUR, 18)):
        clock.move_to(since)
        for _ in range(ticks):
            before = outside.aeroapi.calls
            watch(cloud, clock, HOUR / 2)
            if outside.aeroapi.calls > before:
                asked_at.append(datetime.now(UTC))
            if datetime.now(UTC) >= DUE:
                outside.aeroapi.land(NUMBER)
    while_it_flies = [DUE + HOUR / 2 * half for half in range(-12, 2)]
    assert asked_at == [EVENING, *while_it_flies]
    assert cloud.meters() == [("flightaware.result_set", 1)] * outside.aeroapi.calls
    assert outside.aeroapi.asked[0] == NUMBER
    assert set(outside.aeroapi.asked[1:]) == {next(iter(outside.aeroapi.flights))}


def test_without_guests_who_fly_nothing_is_asked(
    layer: MakeLayer, clock: Clock, outside: Outside
) -> None:
    cloud = layer(*JOBS, aeroapi_url=f"{outside.url}/aeroapi", aeroapi_key=double.KEY)
    add_stay(cloud, 1, DAY)
    add_stay(cloud, 2, DAY + timedelta(days=2), flight_number=NUMBER)
    watch(cloud, clock)
    assert outside.requests["aeroapi"] == 0


def test_a_guest_who_doesnt_come_any_more_costs_nothing(
    cloud: Layer, clock: Clock, outside: Outside
) -> None:
    watch(cloud, clock)
    with cloud.store.writing() as session:
        session.execute(update(KnownStay).values(status="cancelled"))
    watch(cloud, clock)
    assert outside.aeroapi.calls == 1


@pytest.mark.thorough
def test_one_flight_that_cant_be_had_doesnt_keep_the_others(
    cloud: Layer, clock: Clock, outside: Outside
) -> None:
    add_stay(cloud, 9, DAY, flight_number="LH1842")
    outside.aeroapi.put("LH1842", DUE)
    outside.fail("aeroapi", 503, times=3)
    watch(cloud, clock)
    assert outside.aeroapi.asked == ["LH1842"]
    (run,) = cloud.runs(watch_flights)
    assert run.state == State.QUEUED
    cloud.hurry()
    cloud.run_all()
    assert outside.aeroapi.asked == ["LH1842", NUMBER]
    assert len(cloud.meters()) == 2


def test_a_number_that_isnt_one_is_asked_for_seldom(
    cloud: Layer, clock: Clock, outside: Outside
) -> None:
    outside.fail("aeroapi", 404)
    for _ in range(4):
        watch(cloud, clock)
    assert outside.requests["aeroapi"] == 1
    assert cloud.meters() == []


def test_a_service_that_wants_to_be_left_alone_is(
    cloud: Layer, clock: Clock, outside: Outside
) -> None:
    add_stay(cloud, 9, DAY, flight_number="LH1842")
    outside.fail("aeroapi", 429)  # whose body and headers nobody has documented
    watch(cloud, clock)
    assert outside.requests["aeroapi"] == 1
    (run,) = cloud.runs(watch_flights)
    assert run.not_before >= datetime.now(UTC) + timedelta(minutes=1)


def test_a_guest_with_two_rooms_gets_one_message(
    cloud: Layer, clock: Clock, outside: Outside
) -> None:
    add_stay(cloud, 1, DAY, flight_number=NUMBER, unit="Room 9")
    outside.aeroapi.delay(NUMBER, timedelta(hours=3))
    watch(cloud, clock)
    assert sorted(sent(cloud)) == to_all("flight_delay", timedelta(hours=3))


def test_a_refused_key_is_final(layer: MakeLayer, clock: Clock, outside: Outside) -> None:
    cloud = layer(*JOBS, aeroapi_url=f"{outside.url}/aeroapi", aeroapi_key="wrong")
    for number in ("AZ1572", "LH1842"):
        add_stay(cloud, 1, DAY, flight_number=number)
    watch(cloud, clock)
    assert cloud.runs(watch_flights)[0].state == State.FAILED
    assert outside.requests["aeroapi"] == 1


def test_who_tells_of_a_change_besides_is_believed(cloud: Layer) -> None:
    late = DUE + timedelta(hours=2)
    told = {"number": NUMBER, "day": f"{DAY}", "scheduled_in": f"{DUE}", "expected_in": f"{late}"}
    cloud.tell(MOVED, told)
    cloud.run_all()
    assert sent(cloud) == to_all("flight_delay", timedelta(hours=2))


@pytest.mark.parametrize(
    ("number", "shown"), [("AZ1572", "AZ 1572"), ("U21234", "U2 1234"), ("DLH1842", "DLH 1842")]
)
def test_a_number_is_written_as_guests_know_it(number: str, shown: str) -> None:
    assert spaced(number) == shown

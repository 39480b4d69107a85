"""What can wait is paused by night and while nobody comes; what can't ends such a pause."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select

from cloud_jobs.jobs.auto_resume import auto_resume, auto_resume_for_arrival
from cloud_jobs.jobs.dynamic_pause import dynamic_pause
from cloud_jobs.jobs.night_pause import night_of, night_pause
from cloud_jobs.runtime.job import Job, Nothing, On, Queue, RunContext, job
from cloud_jobs.runtime.pausing import pause, paused, resume
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.known import KnownStay
from cloud_jobs.store.runs import Pause, State
from cloud_jobs.store.sources import Flight
from tests.support.cloud_layer import SEAL_KEYS, Layer
from tests.unit.cloud_jobs.conftest import MakeLayer

ROME = CloudSettings(_env_file=None, seal_keys=SEAL_KEYS).zone
NIGHT = datetime(2026, 11, 27, 3, tzinfo=ROME)
MORNING = datetime(2026, 11, 27, 8, tzinfo=ROME)
GUEST = "ab" * 32


@job("notice", On("notice.wanted", "notifications.batch"), queue=Queue.NOTICES, payload=Nothing)
def notice(_run: RunContext, _: Nothing) -> None:
    """What waits while notices are paused."""


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NIGHT, tick=False) as found:
        yield found


def run(layer: Layer, declared: Job[Any]) -> dict[str, Any]:
    run_id = layer.begin(declared, {})
    layer.runner.execute(run_id)
    found = layer.runs(declared)[-1]
    assert found.state == State.SUCCEEDED, found.error
    return layer.output(found) or {}


def resting(layer: Layer) -> dict[str, str]:
    with layer.store.reading() as session:
        return {queue.value: row.by for queue, row in paused(session).items()}


def comes(layer: Layer, arrival: date, departure: date, **given: Any) -> None:
    with layer.store.writing() as session:
        stay: dict[str, Any] = {"channel": "desk", "code": str(arrival), "booking_id": 1} | given
        session.add(
            KnownStay(
                guest=GUEST,
                status="confirmed",
                arrival=arrival,
                departure=departure,
                booked_at=datetime.now(UTC),
                told_at=datetime.now(UTC),
                **stay,
            )
        )


# By night


@pytest.fixture
def night(layer: MakeLayer, clock: time_machine.Traveller) -> Layer:
    return layer(night_pause, notice, auto_resume, auto_resume_for_arrival)


def test_by_night_waits_what_can_and_in_the_morning_it_goes_on(
    night: Layer, clock: time_machine.Traveller
) -> None:
    assert run(night, night_pause) == {"paused": ["watch", "notices", "reports"]}
    night.tell("notice.wanted", {})
    night.run_all()
    assert [one.state for one in night.runs(notice)] == [State.PAUSED]
    clock.move_to(MORNING - timedelta(minutes=5))
    assert run(night, night_pause) == {}
    clock.move_to(MORNING)
    assert run(night, night_pause) == {"resumed": ["notices", "reports", "watch"]}
    night.run_all()
    assert [one.state for one in night.runs(notice)] == [State.SUCCEEDED]
    with night.store.reading() as session:
        lasted = {one.until - one.since for one in session.scalars(select(Pause))}
    assert lasted == {timedelta(hours=5)}


def test_what_is_under_way_is_not_paused_until_it_is_done(night: Layer) -> None:
    night.tell("notice.wanted", {})
    assert run(night, night_pause) == {"paused": ["watch", "reports"]}
    night.run_all()
    assert run(night, night_pause) == {"paused": ["notices"]}


@pytest.mark.parametrize(("landed", "watched"), [(False, True), (True, False)])
def test_a_flight_that_is_to_be_watched_by_night_is(
    night: Layer, landed: bool, watched: bool
) -> None:
    with night.store.writing() as session:
        session.add(
            Flight(
                number="AZ1",
                day=NIGHT.date(),
                landed=landed,
                cancelled=False,
                ask_at=NIGHT.astimezone(UTC) + timedelta(hours=2),
            )
        )
    run(night, night_pause)
    assert ("watch" not in resting(night)) is watched


def test_a_pause_that_was_lifted_is_not_made_again_that_night_but_the_next(
    night: Layer, clock: time_machine.Traveller
) -> None:
    run(night, night_pause)
    night.tell("notifications.batch", {})
    night.run_all()
    assert set(resting(night)) == {"watch", "reports"}
    assert run(night, night_pause) == {}
    clock.move_to(MORNING)
    run(night, night_pause)
    clock.move_to(NIGHT + timedelta(days=1))
    assert run(night, night_pause) == {"paused": ["watch", "notices", "reports"]}


def test_what_a_person_paused_stays_so_in_the_morning(
    night: Layer, clock: time_machine.Traveller
) -> None:
    with night.store.writing() as session:
        pause(session, [Queue.NOTICES], "cli:ada", "Ferragosto", NIGHT)
    run(night, night_pause)
    night.tell("notifications.batch", {})
    night.run_all()
    clock.move_to(MORNING)
    run(night, night_pause)
    assert resting(night) == {"notices": "cli:ada"}


def test_bookings_that_come_in_never_wait(night: Layer) -> None:
    run(night, night_pause)
    assert {"intake", "upkeep"}.isdisjoint(resting(night))


HOURS = st.times().map(lambda found: found.replace(second=0, microsecond=0))


def made(begins: time, ends: time) -> CloudSettings:
    return CloudSettings(
        _env_file=None, seal_keys=SEAL_KEYS, night_pause_from=begins, night_pause_until=ends
    )


@hypothesis_settings(deadline=None)
@given(begins=HOURS, ends=HOURS, minutes=st.integers(0, 2 * 365 * 24 * 60))
def test_a_night_is_between_its_two_times_on_the_wall(
    begins: time, ends: time, minutes: int
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    night = night_of(made(begins, ends), now)
    clock = now.astimezone(ROME).time()
    if begins < ends:
        expected = begins <= clock < ends
    elif begins > ends:
        expected = clock >= begins or clock < ends
    else:
        expected = False
    changes = {1, 2, 3}  # hours in which the wall's clock is put on or back
    if clock.hour in changes or begins.hour in changes or ends.hour in changes:
        return
    assert (night is not None) is expected
    if night is not None:
        assert night[0] <= now < night[1]


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2027, 3, 28), 5), (date(2027, 10, 31), 7), (date(2027, 6, 1), 6)],
)
def test_a_pause_keeps_its_hours_on_the_wall_when_summer_time_begins_and_ends(
    layer: MakeLayer, day: date, hours: int
) -> None:
    """On the first of the days 02:00 isn't there and on the second it comes twice."""
    night = layer(night_pause)
    midnight = datetime.combine(day, time(0), ROME).astimezone(UTC)
    with time_machine.travel(midnight, tick=False) as clock:
        for _ in range(24):
            run(night, night_pause)
            clock.shift(timedelta(minutes=30))
    with night.store.reading() as session:
        found = session.scalars(select(Pause).where(Pause.queue == Queue.NOTICES)).one()
    assert found.until.astimezone(ROME).time() == time(8)
    assert found.since.astimezone(ROME).hour in {2, 3}
    assert found.until - found.since == timedelta(hours=hours)


# While nobody comes


@pytest.fixture
def empty(layer: MakeLayer, clock: time_machine.Traveller) -> Layer:
    return layer(dynamic_pause, auto_resume, auto_resume_for_arrival)


TODAY = NIGHT.date()


def test_while_nobody_is_there_or_comes_nothing_is_watched(empty: Layer) -> None:
    assert run(empty, dynamic_pause) == {"paused": ["watch", "reports"]}


@pytest.mark.parametrize(
    ("arrives", "leaves", "pauses"),
    [(-3, 0, False), (-3, -1, True), (0, 2, False), (1, 2, False), (2, 3, True)],
)
def test_who_is_there_or_comes_within_a_day_is_watched_for(
    empty: Layer, arrives: int, leaves: int, pauses: bool
) -> None:
    comes(empty, TODAY + timedelta(days=arrives), TODAY + timedelta(days=leaves))
    run(empty, dynamic_pause)
    assert bool(resting(empty)) is pauses


def test_it_goes_on_as_soon_as_somebody_comes(empty: Layer) -> None:
    run(empty, dynamic_pause)
    comes(empty, TODAY + timedelta(days=1), TODAY + timedelta(days=2))
    assert run(empty, dynamic_pause) == {"resumed": ["reports", "watch"]}


def test_it_resumes_only_what_it_paused(empty: Layer) -> None:
    with empty.store.writing() as session:
        pause(session, [Queue.WATCH], "cli:ada", "quiet", NIGHT)
    assert run(empty, dynamic_pause) == {"paused": ["reports"]}
    comes(empty, TODAY, TODAY + timedelta(days=2))
    run(empty, dynamic_pause)
    assert resting(empty) == {"watch": "cli:ada"}


# What can't wait


def reservation(arrival: date | None, change: str = "new") -> dict[str, Any]:
    return {"change": change, "arrival": arrival.isoformat() if arrival else None}


@pytest.mark.parametrize(
    ("name", "payload", "lifts"),
    [
        ("reservation.told", reservation(TODAY), True),
        ("reservation.told", reservation(TODAY + timedelta(days=1)), True),
        ("reservation.told", reservation(TODAY + timedelta(days=2)), False),
        ("reservation.told", reservation(TODAY - timedelta(days=1)), False),
        ("reservation.told", reservation(None), False),
        ("reservation.told", reservation(TODAY, "cancelled"), False),
        ("booking.changed", {"status": "confirmed", "arrival": TODAY.isoformat()}, True),
        ("booking.changed", {"status": "cancelled", "arrival": TODAY.isoformat()}, False),
        ("flight.delayed", {}, True),
        ("flight.cancelled", {}, True),
        ("translation.wanted", {}, True),
        ("notifications.batch", {}, True),
        ("emergency.raised", {}, True),
        ("message.received", {}, False),
    ],
)
def test_what_ends_a_pause(night: Layer, name: str, payload: dict[str, Any], lifts: bool) -> None:
    run(night, night_pause)
    night.tell(name, payload)
    night.run_all()
    assert ("notices" not in resting(night)) is lifts
    assert "reports" in resting(night)


def test_two_who_resume_at_once_resume_once(night: Layer) -> None:
    run(night, night_pause)
    for _ in range(2):
        night.tell("flight.delayed", {})
    night.run_all()
    with night.store.reading() as session:
        assert len(session.scalars(select(Pause)).all()) == 1
    with night.store.writing() as session:
        assert resume(session, [Queue.NOTICES], "cli:ada", NIGHT) == []

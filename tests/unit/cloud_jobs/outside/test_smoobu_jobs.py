"""What Smoobu tells reaches the bus once, by whichever way it comes first."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloud_jobs.jobs.smoobu_booking import smoobu_booking
from cloud_jobs.jobs.smoobu_changed import CHANGED, smoobu_changed
from cloud_jobs.jobs.smoobu_sync import smoobu_sync
from cloud_jobs.known.erasing import forget
from cloud_jobs.known.reservation import TOLD, Change, ReservationTold
from cloud_jobs.runtime.claiming import claim
from cloud_jobs.sources import smoobu
from cloud_jobs.store.known import KnownStay
from cloud_jobs.store.runs import State
from cloud_jobs.store.sources import SmoobuBooking, ToldBooking
from tests.support.cloud_layer import Layer
from tests.support.desk_takes import taken
from tests.support.known_stays import add_stay, guest
from tests.support.outside import smoobu as double
from tests.support.outside.server import Outside

MakeLayer = Callable[..., Layer]
SAMPLES = Path(__file__).parents[3] / "samples/smoobu"
JOBS = (smoobu_booking, smoobu_changed, smoobu_sync)
TODAY = datetime.now(UTC).date()


def webhook(name: str, **fields: Any) -> dict[str, Any]:
    body = json.loads((SAMPLES / f"{name}.json").read_text())
    return {"body": body | {"data": body["data"] | fields}}


def asking(outside: Outside) -> dict[str, Any]:
    return {
        "smoobu_url": outside.url,
        "smoobu_key": double.KEY,
        "smoobu_secret": double.SECRET,
    }


def sync(cloud: Layer) -> None:
    cloud.begin(smoobu_sync, {})
    cloud.run_all()


def told(cloud: Layer) -> list[ReservationTold]:
    assert {run.state for run in cloud.runs()} <= {State.SUCCEEDED}
    return [ReservationTold.model_validate(event.payload) for event in cloud.events(TOLD)]


def bring(cloud: Layer, *payloads: dict[str, Any]) -> list[ReservationTold]:
    tell(cloud, *payloads)
    return told(cloud)


def tell(cloud: Layer, *payloads: dict[str, Any]) -> None:
    for payload in payloads:
        cloud.tell(CHANGED, payload)
        cloud.run_all()


def test_a_booking_is_told_changed_and_cancelled(layer: MakeLayer) -> None:
    new, changed, cancelled = bring(
        layer(*JOBS), webhook("new"), webhook("changed"), webhook("cancelled")
    )
    assert [new.change, changed.change, cancelled.change] == [
        Change.NEW,
        Change.CHANGED,
        Change.CANCELLED,
    ]
    assert {(one.channel, one.code) for one in (new, changed, cancelled)} == {("smoobu", "999001")}
    assert (new.departure, changed.departure) == (date(2026, 12, 5), date(2026, 12, 6))
    assert new.told_at == datetime(2026, 11, 20, 9, 15, tzinfo=UTC)  # 10:15 in Rome
    assert (new.told_by, new.guest_name, new.phone) == ("smoobu", "Ada Invented", "+390000000001")
    assert (new.email, new.language, new.unit, new.party) == (
        "ada@example.invalid",
        "it",
        "Room 4",
        2,
    )


def test_the_same_and_what_is_older_is_told_no_more(layer: MakeLayer) -> None:
    cloud = layer(*JOBS)
    assert len(bring(cloud, webhook("changed"), webhook("changed"), webhook("new"))) == 1
    moved = webhook("changed", modifiedAt="2026-11-21 09:30:00", notice="late, maybe")
    assert len(bring(cloud, moved)) == 1  # nothing of what matters


def test_a_booking_that_is_deleted_is_cancelled(layer: MakeLayer) -> None:
    gone = webhook("new")
    gone["body"]["action"] = "deleteReservation"
    gone["body"]["data"] = {"id": 999001}
    first, second = bring(layer(*JOBS), webhook("new"), gone)
    assert (first.change, second.change) == (Change.NEW, Change.CANCELLED)
    assert (second.channel, second.code) == (first.channel, first.code)


@pytest.mark.parametrize(
    ("name", "reference", "expected"),
    [
        ("Booking.com", "4012345678", ("booking.com", "4012345678")),
        ("Airbnb", "HMABCDEFGH", ("airbnb", "HMABCDEFGH")),
        ("HomeAway", "HA-123", ("vrbo", "HA-123")),
        ("Vrbo", "HA-123", ("vrbo", "HA-123")),
        ("Expedia", "77", ("expedia", "77")),
        ("Direct booking", "D-1", ("direct", "D-1")),
        ("Hostelworld GmbH", "5/6", ("smoobu", "999001")),  # no number that the desk takes
        ("Hostelworld GmbH", "56", ("hostelworld-gmbh", "56")),
        ("", "56", ("smoobu", "999001")),
        ("Booking.com", None, ("smoobu", "999001")),
    ],
)
def test_a_booking_has_the_name_that_its_channel_gave_it(
    layer: MakeLayer, name: str, reference: str | None, expected: tuple[str, str]
) -> None:
    channel = {"id": 2001, "name": name}
    (one,) = bring(layer(*JOBS), webhook("new", channel=channel, **{"reference-id": reference}))
    assert (one.channel, one.code) == expected


def test_a_booking_keeps_the_name_that_the_desk_has_it_by(layer: MakeLayer) -> None:
    cloud, now = layer(*JOBS), datetime.now(UTC)
    with cloud.store.writing() as session:
        session.add(
            KnownStay(
                channel="smoobu",
                code="999001",
                booking_id=1,
                status="confirmed",
                booked_at=now,
                told_at=now,
            )
        )
    (one,) = bring(cloud, webhook("new", **{"reference-id": "4012345678"}))
    assert (one.channel, one.code) == ("smoobu", "999001")


def test_a_booking_keeps_the_name_that_the_desk_was_told(layer: MakeLayer) -> None:
    cloud = layer(*JOBS)
    with cloud.store.writing() as session:
        session.add(
            ToldBooking(channel="smoobu", code="999001", told_at=datetime.now(UTC), facts=b"")
        )
    (one,) = bring(cloud, webhook("new", **{"reference-id": "4012345678"}))
    assert (one.channel, one.code) == ("smoobu", "999001")


def test_a_number_that_comes_later_doesnt_rename_it(layer: MakeLayer) -> None:
    first, second = bring(
        layer(*JOBS), webhook("new"), webhook("changed", **{"reference-id": "4012345678"})
    )
    assert (first.channel, first.code) == (second.channel, second.code) == ("smoobu", "999001")


@pytest.mark.parametrize(
    "fields", [{"is-blocked-booking": True}, {"channel": {"id": 11, "name": "Blocked"}}]
)
def test_what_the_host_blocks_is_told_to_nobody(layer: MakeLayer, fields: dict[str, Any]) -> None:
    assert bring(layer(*JOBS), webhook("new", **fields)) == []


@pytest.mark.parametrize(
    "body",
    [
        {"action": "updateRates", "data": {}},
        {"action": "onlineCheckInUpdate", "data": {"bookingId": 1}},
        {"action": "newMessage", "data": {"id": "x"}},
        {"action": ["newReservation"]},
        {},
    ],
)
def test_what_is_no_booking_is_left_alone(layer: MakeLayer, body: dict[str, Any]) -> None:
    cloud = layer(*JOBS)
    assert bring(cloud, {"body": body}) == []
    assert cloud.commands() == []
    assert cloud.alerts() == []


def test_a_message_in_smoobu_calls_somebody_once(layer: MakeLayer) -> None:
    cloud = layer(*JOBS)
    body = {"action": "newMessage", "user": 1, "data": {"id": 5, "booking": {"id": 999001}}}
    bring(cloud, {"body": body}, {"body": body})
    assert taken(cloud) == 2
    keys = [(name, payload["key"]) for name, payload in cloud.commands()]
    assert set(keys) == {("ALERT_DESK", "smoobu_message:5")}  # the desk takes a key once
    assert "999001" in cloud.commands()[0][1]["text"]


def test_a_reservation_that_cant_be_read_is_a_persons(layer: MakeLayer) -> None:
    cloud = layer(*JOBS)
    assert bring(cloud, {"body": {"action": "newReservation", "data": {"id": "?"}}}) == []
    assert [kind for kind, _ in cloud.alerts()] == ["smoobu_unreadable"]


def test_a_webhook_with_no_more_than_a_number_is_completed(
    layer: MakeLayer, outside: Outside
) -> None:
    outside.smoobu.put({"id": 5, "guest-name": "Bruno Invented"})
    cloud = layer(*JOBS, **asking(outside))
    (one,) = bring(cloud, {"body": {"action": "newReservation", "data": {"id": 5}}})
    assert one.guest_name == "Bruno Invented"
    assert outside.smoobu.calls == 1


@pytest.mark.thorough
def test_the_poll_finds_what_the_webhook_missed(
    layer: MakeLayer, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoobu, "PAGE_SIZE", 6)
    cloud = layer(*JOBS, **asking(outside))
    for number in range(1, 14):
        outside.smoobu.put({"id": number})
    sync(cloud)
    assert len(told(cloud)) == 13
    assert outside.smoobu.calls == 3  # pages
    outside.smoobu.put({"id": 7, "adults": 3, "modifiedAt": _clock(timedelta(minutes=1))})
    sync(cloud)
    sync(cloud)
    assert [(one.code, one.party) for one in told(cloud)[13:]] == [("7", 3)]
    assert len(cloud.runs(smoobu_booking)) == 14


def test_poll_and_webhook_of_the_same_change_tell_once(layer: MakeLayer, outside: Outside) -> None:
    cloud = layer(*JOBS, **asking(outside))
    data = outside.smoobu.put(json.loads((SAMPLES / "new.json").read_text())["data"])
    # Both before either is worked on.
    cloud.tell(CHANGED, {"body": {"action": "newReservation", "user": 1, "data": data}})
    cloud.begin(smoobu_sync, {})
    cloud.run_all()
    assert len(told(cloud)) == 1
    sync(cloud)
    assert len(told(cloud)) == 1


def test_while_one_is_worked_on_the_other_waits(layer: MakeLayer) -> None:
    cloud = layer(*JOBS)
    data = json.loads((SAMPLES / "new.json").read_text())["data"]
    first, second = (cloud.begin(smoobu_booking, {"booking": data}) for _ in range(2))
    now = datetime.now(UTC)  # both are due by now
    with cloud.store.writing() as session:
        assert claim(session, [first], worker="another", now=now, until=now + timedelta(minutes=1))
    cloud.runner.execute(second)
    assert cloud.events(TOLD) == []
    cloud.hurry()  # the other worker died
    cloud.run_all()
    assert len(told(cloud)) == 1


def test_bookings_of_long_ago_are_no_new_ones(layer: MakeLayer, outside: Outside) -> None:
    cloud = layer(*JOBS, **asking(outside))
    outside.smoobu.put({"id": 1, "created-at": "2026-01-01 10:00"})
    outside.smoobu.put({"id": 2})
    sync(cloud)
    assert {one.code: one.change for one in told(cloud)} == {
        "1": Change.CHANGED,
        "2": Change.NEW,
    }


def test_the_first_poll_asks_for_stays_that_arent_over(layer: MakeLayer, outside: Outside) -> None:
    cloud = layer(*JOBS, **asking(outside))
    outside.smoobu.put({"id": 1, "arrival": "2026-01-01", "departure": "2026-01-03"})
    outside.smoobu.put({"id": 2, "modifiedAt": "2026-01-01 10:00:00"})
    sync(cloud)
    assert [one.code for one in told(cloud)] == ["2"]


def test_without_a_key_nothing_is_asked(layer: MakeLayer, outside: Outside) -> None:
    cloud = layer(*JOBS, smoobu_url=outside.url)
    sync(cloud)
    assert outside.requests["smoobu"] == 0
    assert {run.state for run in cloud.runs()} == {State.SUCCEEDED}


def test_a_poll_that_failed_is_made_up_for(layer: MakeLayer, outside: Outside) -> None:
    cloud = layer(*JOBS, **asking(outside))
    outside.smoobu.put({"id": 1})
    outside.fail("smoobu", 429, headers={"X-RateLimit-Retry-After": "60"})
    sync(cloud)
    (run,) = cloud.runs(smoobu_sync)
    assert run.state == State.QUEUED
    assert run.not_before - datetime.now(UTC) > timedelta(seconds=50)
    cloud.hurry()
    cloud.run_all()
    assert len(told(cloud)) == 1


def test_a_refused_key_is_final(layer: MakeLayer, outside: Outside) -> None:
    cloud = layer(*JOBS, **(asking(outside) | {"smoobu_secret": "another"}))
    sync(cloud)
    (run,) = cloud.runs()
    assert run.state == State.FAILED
    assert outside.requests["smoobu"] == 1


def test_who_was_erased_is_told_of_no_more(layer: MakeLayer) -> None:
    cloud, now = layer(*JOBS), datetime.now(UTC)
    bring(cloud, webhook("new"))
    add_stay(cloud, 1, TODAY, channel="smoobu", code="999001")
    with cloud.store.writing() as session:
        forget(session, cloud.seal, guest(1), now)
    tell(cloud, webhook("changed"))
    assert len(cloud.events(TOLD)) == 1  # and that one is empty


def test_nothing_of_a_guest_is_kept_open(layer: MakeLayer) -> None:
    cloud = layer(*JOBS)
    bring(cloud, webhook("new"))
    with cloud.store.reading() as session:
        row = session.get(SmoobuBooking, 999001)
    assert row is not None
    assert not any("Ada" in f"{value}" or "000000" in f"{value}" for value in vars(row).values())
    assert not any("Ada" in repr(vars(run)) for run in cloud.runs())


def _clock(later: timedelta) -> str:
    return (datetime.now(UTC) + later).strftime("%Y-%m-%d %H:%M:%S")

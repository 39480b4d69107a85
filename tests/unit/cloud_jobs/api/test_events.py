"""What the desk and tools tell: taken once each, each in one list, and nobody tells for another."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cloud_jobs.exchange.commands import CommandState, state_of
from cloud_jobs.known import guests, stays
from cloud_jobs.store.exchange import InboundEvent
from tests.support.cloud_api import GUEST, NODE, TOOL, CloudApi, event, kind
from tests.unit.cloud_jobs.api.conftest import MakeApi

KNOWN: dict[str, Any] = {"changed": [], "language": "de", "time_zone": None, "consent": "given"}
BOOKED = {
    "booking_id": 4,
    "changed": [],
    "channel": "direct",
    "code": "2026-0001",
    "status": "confirmed",
    "unit": "Room 4",
    "arrival": "2026-12-04",
    "departure": "2026-12-08",
    "party": 2,
    "flight_number": "az 1572",
}


def kept(api: CloudApi) -> list[str]:
    """The ids of the events that are in the store."""
    with api.store.reading() as session:
        return list(session.scalars(select(InboundEvent.event_id).order_by(InboundEvent.seq)))


def test_the_desk_tells_and_tells_again(api: CloudApi) -> None:
    told = [
        event("guest.created", KNOWN, guest=GUEST),
        event("booking.changed", BOOKED, guest=GUEST),
    ]
    ids = [one["event_id"] for one in told]
    assert api.tell(*told) == {"accepted": ids, "rejected": []}
    assert api.tell(*told) == {"accepted": ids, "rejected": []}
    assert kept(api) == ids
    with api.store.reading() as session:
        assert guests.language_of(session, GUEST) == "de"
        (stay,) = stays.stays_of(session, GUEST)
        assert (stay.unit, stay.flight_number, str(stay.arrival)) == (
            "Room 4",
            "AZ1572",
            "2026-12-04",
        )


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"name": "guest.vanished"}, "name: there is no such event"),
        ({"name": "reservation.told"}, "name: there is no such event"),
        ({"name": "custom.Ä"}, "name: after custom. come"),
        ({"guest": "+39 000 0000001"}, "guest: "),
        ({"guest": "A" * 64}, "guest: "),
        ({"occurred_at": "2026-12-04T10:00:00"}, "occurred_at: "),
        ({"occurred_at": 1764835200}, "occurred_at: "),
        ({"occurred_at": "2126-12-04T10:00:00Z"}, "occurred_at is in the future"),
        ({"payload": []}, "payload: "),
        ({"payload": {"consent": "perhaps"}}, "consent: "),
        ({"payload": KNOWN | {"language": "d\0"}}, "language: "),
        ({"more": 1}, "more: "),
    ],
    ids=lambda value: str(value)[:40],
)
def test_one_bad_event_is_rejected_alone_and_says_nothing_of_what_was_told(
    api: CloudApi, changed: dict[str, Any], why: str
) -> None:
    good = event("guest.created", KNOWN, guest=GUEST)
    bad = event("guest.created", KNOWN, guest=GUEST) | changed
    answer = api.tell(bad, good)
    assert answer["accepted"] == [good["event_id"]]
    (rejected,) = answer["rejected"]
    assert rejected["event_id"] == bad["event_id"]
    assert rejected["reason"].startswith(why)
    assert "+39" not in rejected["reason"]
    assert kept(api) == [good["event_id"]]


def test_an_event_may_lack_anything_but_its_id(api: CloudApi) -> None:
    answer = api.tell({"event_id": "one"})
    assert [one["event_id"] for one in answer["rejected"]] == ["one"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"events": {}},
        {"events": []},
        {"events": [{}]},
        {"events": ["one"]},
        {"events": [{"event_id": "of two words"}]},
        {"events": [{"event_id": "e" * 151}]},
        {"events": [{"event_id": "one"}], "more": 1},
        {"events": [{"event_id": str(number)} for number in range(101)]},
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_batch_is_refused_whole(api: CloudApi, body: dict[str, Any]) -> None:
    answer = api.signed("POST", "/api/events", body)
    assert (answer.status_code, kind(answer)) == (422, "invalid-request")
    assert kept(api) == []


def test_a_batch_that_is_too_large_is_refused(api: CloudApi) -> None:
    told = event("custom.large", {"text": "x" * 1_000_000})
    answer = api.signed("POST", "/api/events", {"events": [told]})
    assert (answer.status_code, kind(answer)) == (413, "body-too-large")


def test_a_tool_tells_of_its_own_and_not_as_the_desk(api: CloudApi) -> None:
    cold = event("custom.boiler.cold", {"degrees": 12})
    wanted = event("translation.wanted", {"text": "Domani manca l'acqua."}, guest=GUEST)
    batch = event("notifications.batch", {"text": "The pool is open.", "to": "in_house"})
    as_desk = event("guest.erased", {}, guest=GUEST)
    of_nobody = event("translation.wanted", {"text": "Domani manca l'acqua."})
    to_nobody = event("notifications.batch", {"text": "Hm.", "to": ["+39 000 0000001"]})
    answer = api.tell(cold, wanted, batch, as_desk, of_nobody, to_nobody, by=TOOL)
    assert answer["accepted"] == [one["event_id"] for one in (cold, wanted, batch)]
    assert {one["event_id"]: one["reason"].partition(":")[0] for one in answer["rejected"]} == {
        as_desk["event_id"]: "name",
        of_nobody["event_id"]: "guest",
        to_nobody["event_id"]: "to.literal['in_house']",
    }
    assert kept(api) == [f"{TOOL}/{one['event_id']}" for one in (cold, wanted, batch)]


def test_two_clients_may_use_the_same_id(api: CloudApi) -> None:
    told = event("custom.boiler.cold", {}, event_id="1")
    assert api.tell(told, by=TOOL)["accepted"] == ["1"]
    assert api.tell(told, by=NODE)["accepted"] == ["1"]
    assert kept(api) == [f"{TOOL}/1", "1"]


def test_what_either_node_tells_is_the_desks(make_api: MakeApi) -> None:
    api = make_api(node="other", node_standby=NODE)
    told = event("guest.created", KNOWN, guest=GUEST)
    assert api.tell(told)["accepted"] == [told["event_id"]]
    with api.store.reading() as session:
        row = session.scalars(select(InboundEvent)).one()
        # As the first one would have told it, so that it isn't taken again from there.
        assert (row.event_id, row.source) == (told["event_id"], "other")


def test_an_id_twice_in_a_batch_is_one_event(api: CloudApi) -> None:
    told = event("custom.boiler.cold", {}, event_id="1")
    assert api.tell(told, told | {"payload": {"other": 1}}) == {"accepted": ["1"], "rejected": []}
    assert kept(api) == ["1"]


def test_an_event_starts_its_jobs_once(api: CloudApi) -> None:
    wanted = event("translation.wanted", {"text": "Domani manca l'acqua."}, guest=GUEST)
    for _ in range(2):
        api.tell(wanted, by=TOOL)
    page = api.signed("GET", "/api/runs").json()
    assert [(run["job"], run["state"]) for run in page["runs"]] == [("note", "queued")]


def test_a_finished_command_is_settled_by_its_event(api: CloudApi) -> None:
    api.issue("one")
    api.issue("two")
    api.tell(
        event("command.finished", {"id": "one", "state": "done", "result": {"queued": [1]}}),
        event(
            "command.finished",
            {"id": "two", "state": "failed", "error": {"code": "guest_unknown", "detail": "…"}},
        ),
        event("command.finished", {"id": "never", "state": "done", "result": None}),
    )
    with api.store.reading() as session:
        assert state_of(session, "one") is CommandState.DONE
        assert state_of(session, "two") is CommandState.FAILED
    assert api.signed("GET", "/api/commands").json() == {"commands": []}


def test_what_is_told_late_does_not_bring_back_who_was_erased(api: CloudApi) -> None:
    now = datetime.now(UTC)
    earlier, later = ((now + timedelta(seconds=by)).isoformat() for by in (-60, 60))
    created = event("guest.created", KNOWN, guest=GUEST, occurred_at=earlier)
    erased = event("guest.erased", {}, guest=GUEST, occurred_at=now.isoformat())
    again = event("guest.created", KNOWN, guest=GUEST, occurred_at=later)
    for batch in ([erased, created], [created]):
        assert api.tell(*batch)["accepted"] == [one["event_id"] for one in batch]
        with api.store.reading() as session:
            assert guests.find(session, GUEST) is None
    assert kept(api) == [erased["event_id"]]
    api.tell(again)
    with api.store.reading() as session:
        assert guests.find(session, GUEST) is not None

"""Each fault does what it says, as often as it was told."""

import time

import httpx
import pytest

from app.providers.incoming import SignatureError
from app.providers.sandbox.faults import KINDS, Faults
from app.providers.spoki_signature import HEADER, verify
from tests.unit.providers.sandbox.conftest import GUEST, SECRET, Api


def test_names_and_fields_are_the_same() -> None:
    assert set(KINDS) == set(Faults.model_fields)


def test_rate_limited(api: Api) -> None:
    api.fault("rate_limited", retry_after=7, count=1)
    refused = api.text()
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
    assert api.text().status_code == 201
    assert [call["accepted"] for call in api.sends()] == [False, True]


def test_server_error_stays_on_without_a_count(api: Api) -> None:
    api.fault("server_error", status=502)
    assert [api.text().status_code for _ in range(3)] == [502, 502, 502]
    api.http.delete("/sandbox/faults/server_error")
    assert api.text().status_code == 201


def test_slow_accepts_though_the_client_gave_up(api: Api) -> None:
    api.fault("slow", seconds=0.3, count=1)
    with pytest.raises(httpx.ReadTimeout):
        api.http.post(
            "/api/1/messages/send/",
            json={"type": "Message", "content_type": "Text", "phone": GUEST, "text": "Ciao"},
            headers={"X-Spoki-Api-Key": "invented-api-key"},
            timeout=0.1,
        )
    assert [hook.event["data"]["send_status"] for hook in api.receiver.wait_for(3)] == [
        "Sent",
        "Delivered",
        "Read",
    ]
    assert api.sends()[0]["accepted"] is True


def test_slow_answers_late(api: Api) -> None:
    api.fault("slow", seconds=0.2, count=1)
    begin = time.monotonic()
    assert api.text().status_code == 201
    assert time.monotonic() - begin >= 0.2


def test_a_dropped_answer_was_accepted_and_reported(api: Api) -> None:
    api.fault("drop_answer", count=1)
    with pytest.raises(httpx.RemoteProtocolError):
        api.text(metadata={"correlation_id": "one"})
    hooks = api.receiver.wait_for(3)
    assert {hook.event["data"]["metadata"]["correlation_id"] for hook in hooks} == {"one"}
    assert api.text().status_code == 201
    calls = api.sends()
    assert [(call["answer"], call["accepted"]) for call in calls] == [
        ("dropped", True),
        (201, True),
    ]


def test_a_refused_connection_accepted_nothing(api: Api) -> None:
    api.fault("refuse", count=2)
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            api.text()
    assert api.text().status_code == 201
    assert [call["accepted"] for call in api.sends()] == [False, False, True]
    assert len(api.messages()) == 1


def test_no_echo(api: Api) -> None:
    api.fault("no_echo", count=1)
    silent = api.text("one").json()["uuid"]
    loud = api.text("two").json()["uuid"]
    assert {hook.event["data"]["uuid"] for hook in api.receiver.wait_for(3)} == {loud}
    first = api.messages()[0]
    assert (first["uuid"], first["status"], first["reports"]) == (silent, "Read", [])


def test_no_credit_and_no_id_are_not_accepted(api: Api) -> None:
    api.fault("no_credit", count=1)
    refused = api.text()
    assert refused.json() == {"error": "Not enough credit", "error_code": "spoki::1029"}
    api.fault("no_id", count=1)
    empty = api.text()
    assert (empty.status_code, empty.json()) == (200, {"detail": "Message queued"})
    assert api.messages() == []


def test_undeliverable_ends_in_error(api: Api) -> None:
    api.fault("undeliverable", count=1, error_code="whatsapp::131049")
    api.text()
    data = [hook.event["data"] for hook in api.receiver.wait_for(2)]
    assert [(each["send_status"], each["error_code"]) for each in data] == [
        ("Sent", None),
        ("Error", "whatsapp::131049"),
    ]


def test_duplicates_are_the_same_event(api: Api) -> None:
    api.fault("duplicates", copies=4, count=1)
    event_uuid = api.write()["event_uuids"][0]
    hooks = api.receiver.wait_for(4)
    assert {hook.event["event_uuid"] for hook in hooks} == {event_uuid}
    assert len({hook.body for hook in hooks}) == 1
    api.write()
    assert len(api.receiver.wait_for(5)) == 5


def test_a_bad_signature_is_followed_by_a_good_one(api: Api) -> None:
    api.receiver.answers = [401]
    api.fault("bad_signature", count=1)
    api.write()
    bad, good = api.receiver.wait_for(2)
    with pytest.raises(SignatureError):
        verify(bad.headers[HEADER], bad.body, [SECRET], time.time())
    verify(good.headers[HEADER], good.body, [SECRET], time.time())


def test_put_sets_exactly_these_and_delete_clears(api: Api) -> None:
    api.fault("no_echo")
    api.http.put("/sandbox/faults", json={"slow": {"seconds": 1, "count": 3}})
    assert api.faults() == {"slow": {"seconds": 1.0, "count": 3, "every": None}}
    api.http.delete("/sandbox/faults")
    assert api.faults() == {}


def test_counts_are_shown_as_they_run_down(api: Api) -> None:
    api.fault("server_error", count=2)
    api.text()
    assert api.faults()["server_error"]["count"] == 1
    api.text()
    assert api.faults() == {}


def test_every_second_send_fails(api: Api) -> None:
    api.fault("server_error", every=2)
    assert [api.text().status_code for _ in range(4)] == [503, 201, 503, 201]


@pytest.mark.parametrize(
    ("name", "setting"),
    [("slow", {"seconds": 0}), ("server_error", {"status": 404}), ("refuse", {"count": 0})],
)
def test_a_senseless_fault_is_refused(api: Api, name: str, setting: dict[str, int]) -> None:
    assert api.http.put(f"/sandbox/faults/{name}", json=setting).status_code == 400
    assert api.http.put("/sandbox/faults", json={name: setting}).status_code == 422
    assert api.http.put("/sandbox/faults/flood", json={}).status_code == 422
    assert api.faults() == {}

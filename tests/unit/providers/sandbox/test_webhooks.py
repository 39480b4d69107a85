"""Webhooks look, are signed, ordered and delivered again as Spoki's are."""

import time
from typing import Any

import httpx
import pytest

from app.messages.events import Delivery, InboundMessage, StatusReport
from app.providers import spoki_events
from app.providers.sandbox import dispatch
from app.providers.spoki_signature import HEADER, sign, verify
from tests.unit.providers.sandbox import samples
from tests.unit.providers.sandbox.conftest import GUEST, HANG, SECRET, Api, Start

KEY = {"X-Spoki-Api-Key": "invented-api-key"}
# Spoki's own vectors: secret, time, body, header.
VECTORS = [
    (
        "test-webhook-secret",
        1000,
        '{"event":"test"}',
        "t=1000,v2=e28ae6c4659970f6661d7f4c2490c98e2d3c6b8d033bc8802d40f7ec8429461a",
    ),
    (
        "test-webhook-secret",
        1790000000,
        '{"version":2,"event":"message.inbound","data":{"text":"perché?"}}',
        "t=1790000000,v2=efce71265e60e2cf51ce997016b3ea1e0bf6a49fb3fa20d69a74e47a6082c819",
    ),
]


def _shape(value: Any) -> Any:
    """Keys in their order, and the type of each value."""
    if isinstance(value, dict):
        return [(key, _shape(each)) for key, each in value.items()]
    return type(value)


@pytest.mark.parametrize(("secret", "at", "body", "header"), VECTORS)
def test_the_signature_is_that_of_the_vectors(secret: str, at: int, body: str, header: str) -> None:
    assert sign(secret, at, body.encode()) == header


def test_inbound_has_the_fields_of_the_sample(api: Api) -> None:
    written = api.write(samples.INBOUND["data"]["text"])
    hook = api.receiver.wait_for(1)[0]
    assert _shape(hook.event) == _shape(samples.INBOUND)
    same = ("direction", "type", "content_type", "from_phone", "to_phone", "send_status", "text")
    for field in same:
        assert hook.event["data"][field] == samples.INBOUND["data"][field]
    assert hook.event["event_uuid"] == written["event_uuids"][0]
    assert hook.event["data"]["uuid"] == written["uuid"]
    assert len(written["uuid"]) == 32


def test_outbound_has_the_fields_of_the_sample(api: Api) -> None:
    data = samples.OUTBOUND["data"]
    answer = api.text(data["text"], metadata=data["metadata"])
    hooks = api.receiver.wait_for(3)
    assert [_shape(hook.event) for hook in hooks] == [_shape(samples.OUTBOUND)] * 3
    assert [hook.event["data"]["send_status"] for hook in hooks] == ["Sent", "Delivered", "Read"]
    assert {hook.event["data"]["uuid"] for hook in hooks} == {answer.json()["uuid"]}
    assert len({hook.event["event_uuid"] for hook in hooks}) == 3
    for field in ("from_phone", "to_phone", "preview", "text", "metadata"):
        assert hooks[0].event["data"][field] == data[field]


def test_a_template_is_reported_with_its_filled_text(api: Api) -> None:
    api.send(samples.TEMPLATE)
    data = api.receiver.wait_for(1)[0].event["data"]
    assert data["template"] == 7002
    assert data["text"].startswith("Ospite, la aspettiamo il 2026-12-01.")


def test_a_quick_reply_carries_its_payload(api: Api) -> None:
    api.write("La password", payload="wifi", name="Ospite Prova")
    assert api.messages()[0]["name"] == "Ospite Prova"
    assert api.receiver.wait_for(1)[0].event["data"]["payload"] == "wifi"


def test_the_photos_of_an_album_are_events_of_their_own(api: Api) -> None:
    sent = api.http.post("/sandbox/photos", json={"phone": GUEST, "count": 10, "caption": "Ecco"})
    hooks = api.receiver.wait_for(10)
    assert sent.status_code == 202
    assert [hook.event["event_uuid"] for hook in hooks] == [
        uuid for one in sent.json()["results"] for uuid in one["event_uuids"]
    ]
    contents = [spoki_events.parse(hook.body).content for hook in hooks]
    assert [(one.text, one.media) for one in contents if isinstance(one, InboundMessage)] == [
        ("Ecco", ("image",)),
        *[("", ("image",))] * 9,
    ]
    assert "timestamp_ms" not in hooks[0].event["data"]


def test_a_guest_with_a_name_is_a_contact(api: Api) -> None:
    api.write("Ciao", name="Giulia Prova")
    content = spoki_events.parse(api.receiver.wait_for(1)[0].body).content
    assert isinstance(content, InboundMessage)
    assert content.name == "Giulia Prova"


def test_what_a_person_writes_in_spokis_inbox_is_reported_as_theirs(api: Api) -> None:
    body = {"phone": GUEST, "text": "Ci penso io."}
    uuid = api.http.post("/sandbox/desk", json=body).json()["uuid"]
    reports = [spoki_events.parse(hook.body).content for hook in api.receiver.wait_for(3)]
    assert reports[0] == StatusReport(uuid, None, Delivery.SENT, phone=GUEST, by_person=True)
    assert all(one.by_person for one in reports if isinstance(one, StatusReport))
    assert _shape(api.receiver.got[0].event)[:4] == _shape(samples.OUTBOUND)[:4]
    assert api.sends() == []


def test_the_raw_utf8_body_is_signed(api: Api) -> None:
    api.write("perché?")
    hook = api.receiver.wait_for(1)[0]
    assert "perché?".encode() in hook.body
    verify(hook.headers[HEADER], hook.body, [SECRET], time.time())
    assert hook.headers["X-SPOKI-ACCOUNT"] == "390000000099"


def test_what_is_not_taken_comes_again_in_order(api: Api) -> None:
    api.receiver.answers = [503, 500]
    first, second = api.write("one"), api.write("two")
    ids = [hook.event["event_uuid"] for hook in api.receiver.wait_for(4)]
    assert ids == [*first["event_uuids"] * 3, *second["event_uuids"]]


def test_one_guest_does_not_wait_for_another(start: Start) -> None:
    api = start(redelivery_first=60)
    api.receiver.answers = [503]
    api.write("held up")
    api.receiver.wait_for(1)
    api.write("at once", phone="+390000000002")
    assert api.receiver.wait_for(2)[1].event["data"]["text"] == "at once"


@pytest.mark.thorough
def test_receivers_that_hang_are_left_and_asked_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "TIMEOUT", httpx.Timeout(0.3))
    api = start()
    # As many as there are connections: none of them may stay taken by one that hung.
    api.receiver.answers = [HANG] * dispatch.AT_ONCE
    for number in range(dispatch.AT_ONCE):
        api.write(phone=f"+39000000{number:04d}")
    api.receiver.wait_for(2 * dispatch.AT_ONCE)
    api.receiver.released.set()
    api.write("later", phone=GUEST)
    assert api.receiver.wait_for(2 * dispatch.AT_ONCE + 1)[-1].event["data"]["text"] == "later"


def test_times_and_attempts_are_kept(api: Api) -> None:
    api.receiver.answers = [500]
    before = time.time() * 1000
    api.write()
    api.receiver.wait_for(2)
    api.text()
    api.receiver.wait_for(5)
    asked, answered = api.messages()
    assert asked["reports"][0]["attempts"] == 2
    assert before <= asked["webhook_posted_at"] <= asked["webhook_answered_at"]
    assert asked["status"] == "Accepted"
    assert answered["in_reply_to"] == asked["uuid"]
    waited = answered["send_received_at"] - asked["webhook_posted_at"]
    assert answered["answer_ms"] == pytest.approx(waited)
    assert answered["status"] == "Read"


def test_outbound_webhooks_can_be_switched_off(api: Api) -> None:
    api.http.patch("/sandbox/settings", json={"outbound_webhooks": "off"})
    api.text()
    assert api.messages()[0]["status"] == "Read"
    api.write()
    hooks = api.receiver.wait_for(1)
    assert [hook.event["event"] for hook in hooks] == ["message.inbound"]


@pytest.mark.thorough
def test_statuses_come_apart_by_the_gap(start: Start) -> None:
    api = start(status_gap=0.05)
    begin = time.monotonic()
    api.text()
    api.receiver.wait_for(3)
    assert time.monotonic() - begin >= 0.15


def test_a_sandbox_without_a_webhook_keeps_messages(start: Start) -> None:
    api = start(webhook_url=None)
    api.write()
    api.text()
    assert [message["status"] for message in api.messages()] == ["Unsent", "Read"]
    assert api.messages(GUEST)[0]["reports"][0]["state"] == "nowhere"


def test_subscriptions_are_made_listed_rotated_and_tested(api: Api) -> None:
    url = api.receiver.url
    made = api.http.post(
        "/api/1/external-webhooks/",
        json={"event": "message.note", "version": 2, "url": url, "is_active": True},
        headers=KEY,
    )
    assert made.status_code == 201
    hook_id, secret = made.json()["id"], made.json()["secret"]
    listed = api.http.get("/api/1/external-webhooks/", headers=KEY).json()
    assert [hook["event"] for hook in listed["results"]] == [
        "message.inbound",
        "message.outbound",
        "message.note",
    ]
    assert all("secret" not in hook for hook in listed["results"])
    rotated = api.http.post(
        f"/api/1/external-webhooks/{hook_id}/rotate_secret/", json={}, headers=KEY
    ).json()["secret"]
    assert rotated != secret
    api.http.post(f"/api/1/external-webhooks/{hook_id}/test/", json={}, headers=KEY)
    hook = api.receiver.wait_for(1)[0]
    verify(hook.headers[HEADER], hook.body, [rotated], time.time())
    unknown = api.http.post("/api/1/external-webhooks/99/test/", json={}, headers=KEY)
    assert unknown.status_code == 404


def test_a_subscription_of_version_one_is_refused(api: Api) -> None:
    answer = api.http.post(
        "/api/1/external-webhooks/",
        json={"event": "message.inbound", "version": 1, "url": api.receiver.url},
        headers=KEY,
    )
    assert (answer.status_code, answer.json()) == (400, {"version": ['"1" is not a valid choice.']})

"""Spoki's events in our words."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.messages.events import Content, Delivery, InboundMessage, StatusReport, Unhandled
from app.providers.incoming import EnvelopeError
from app.providers.phones import e164
from app.providers.spoki_events import parse, provider_id, read
from app.settings import ProviderName
from tests.support import samples
from tests.support.events import GUEST, encode, envelope, inbound, outbound
from tests.support.mutations import JSON, damaged

UUID = "c1b2c3d4e5f60718293a4b5c6d7e8f92"
SPOKI = ProviderName.SPOKI
ALL = [samples.load(SPOKI, name) for name in samples.names(SPOKI)]


def sample(name: str) -> Content:
    return parse(samples.body(SPOKI, name)).content


def message(name: str) -> InboundMessage:
    content = sample(name)
    assert isinstance(content, InboundMessage)
    return content


def report(name: str) -> StatusReport:
    content = sample(name)
    assert isinstance(content, StatusReport)
    return content


def test_a_guests_message() -> None:
    event = parse(encode(inbound("Perché?", uuid=UUID)))
    assert event.content == InboundMessage(UUID, GUEST, "Perché?")


@pytest.mark.parametrize(
    ("name", "text", "media"),
    [
        ("good/inbound_text", "Buongiorno, a che ora posso fare il check-in?", ()),
        ("good/inbound_image", "", ("image",)),
        ("good/inbound_image_with_caption", "Il bagno è così", ("image",)),
        ("good/inbound_document", "Il passaporto", ("document",)),
        ("good/inbound_voice", "", ("audio",)),
        ("good/inbound_location", "", ("location",)),
        ("odd/inbound_media_is_no_list", "", ("image",)),
        ("odd/inbound_media_of_no_kind", "", ("file", "file")),
    ],
)
def test_what_came_along(name: str, text: str, media: tuple[str, ...]) -> None:
    found = message(name)
    assert (found.phone, found.text, found.media) == (GUEST, text, media)


def test_a_tapped_button_has_its_choice_and_its_title() -> None:
    found = message("good/inbound_button")
    assert (found.text, found.choice_id, found.media) == ("Sì, grazie", "accept", ())
    assert message("odd/inbound_payload_is_an_object").choice_id is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("good/inbound_with_contact", "Giulia Prova"),
        ("good/inbound_text", None),
        ("odd/inbound_contact_is_a_number", None),
        ("odd/inbound_contact_of_odd_names", None),
    ],
)
def test_the_name_of_a_guest(name: str, expected: str | None) -> None:
    assert message(name).name == expected


def test_a_reaction_asks_for_nothing() -> None:
    assert isinstance(parse(encode(inbound("👍", content_type="Reaction"))).content, Unhandled)


@pytest.mark.parametrize(
    ("status", "delivery"),
    [
        ("Sent", Delivery.SENT),
        ("Delivered", Delivery.DELIVERED),
        ("Read", Delivery.READ),
        ("Error", Delivery.FAILED),
    ],
)
def test_a_report(status: str, delivery: Delivery) -> None:
    event = parse(encode(outbound(status, "reply-1", UUID, error_code="whatsapp::131026")))
    assert event.content == StatusReport(UUID, "reply-1", delivery, "whatsapp::131026")


@pytest.mark.parametrize("metadata", [None, {}, {"correlation_id": 7}, {"other": "x"}, ["x"]])
def test_a_report_without_our_key(metadata: Any) -> None:
    content = parse(encode(outbound("Sent", None, UUID, metadata=metadata))).content
    assert isinstance(content, StatusReport)
    assert content.idempotency_key is None
    assert not content.by_person


@pytest.mark.parametrize(
    ("more", "by_person"),
    [
        ({"sender_id": 31}, True),
        ({"sender_ref": "desk@example.invalid"}, True),
        ({"sender_id": 31, "metadata": {"other": "x"}}, True),
        ({"sender_id": 31, "is_sent_from_ai": True}, False),
        ({"sender_id": 31, "metadata": {"correlation_id": "reply-1"}}, False),
        ({"sender_id": None, "sender_ref": ""}, False),
    ],
)
def test_what_somebody_wrote_in_spokis_inbox(more: dict[str, Any], by_person: bool) -> None:
    content = parse(encode(outbound("Sent", None, UUID, to_phone="390000000001", **more))).content
    assert isinstance(content, StatusReport)
    assert (content.by_person, content.phone) == (by_person, GUEST if by_person else None)


def test_a_person_writes_to_nobody_that_is_known() -> None:
    found = report("odd/outbound_by_person_to_no_phone")
    assert (found.by_person, found.phone) == (True, None)


@pytest.mark.parametrize(
    "event",
    [
        envelope("contact.created", {"id": 1}),
        envelope("message.inbound", None),
        envelope("message.inbound", {"uuid": UUID}),
        inbound("x", phone="not a phone"),
        inbound("", text=7),
        outbound("Queued", "reply-1", UUID),
    ],
)
def test_what_is_not_understood_is_kept_with_a_reason(event: dict[str, Any]) -> None:
    content = parse(encode(event)).content
    assert isinstance(content, Unhandled)
    assert content.reason


@pytest.mark.parametrize("name", samples.names(SPOKI))
def test_each_sample_is_one_event_kept_as_it_came(name: str) -> None:
    body = samples.body(SPOKI, name)
    (kept,) = read(body)
    assert (kept.body, kept.event) == (body, parse(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b"{}",
        b'{"event":"message.inbound"}',
        b'{"event":1,"event_uuid":"x"}',
        b'{"event":"message.inbound","event_uuid":""}',
        b'{"event":"x","event_uuid":"y","data":"\xff"}',
        b'{"event":"x","event_uuid":"' + b"y" * 101 + b'"}',
    ],
)
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(EnvelopeError):
        parse(body)


@given(st.sampled_from(["message.inbound", "message.outbound"]), JSON)
def test_no_data_whatever_makes_it_raise(name: str, data: Any) -> None:
    body = json.dumps({"event": name, "event_uuid": "x", "data": data}).encode()
    assert parse(body).name == name


@given(damaged([event["data"] for event in ALL if isinstance(event.get("data"), dict)]))
def test_no_damaged_data_makes_it_raise(data: Any) -> None:
    for name in ("message.inbound", "message.outbound"):
        body = json.dumps({"event": name, "event_uuid": "x", "data": data}).encode()
        assert parse(body).event_id == "x"


@given(damaged(ALL))
def test_no_damaged_event_makes_it_raise_anything_else(event: Any) -> None:
    with suppress(EnvelopeError):
        assert parse(json.dumps(event).encode()).event_id == event["event_uuid"]


@given(st.binary())
def test_no_body_whatever_makes_it_raise_anything_else(body: bytes) -> None:
    with pytest.raises(EnvelopeError):
        parse(body)


@pytest.mark.parametrize("phone", ["+390000000001", "390000000001", "+39 000 000 0001"])
def test_phones_are_e164(phone: str) -> None:
    assert e164(phone) == GUEST


@given(st.text())
def test_no_phone_whatever_raises(phone: str) -> None:
    found = e164(phone)
    assert found is None or found.startswith("+")


def test_the_id_of_a_send_is_the_uuid_of_its_reports() -> None:
    assert provider_id("C1B2C3D4-e5f6-0718-293a-4b5c6d7e8f92") == UUID

"""Spoki's events in our words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.messages.events import Delivery, InboundMessage, StatusReport, Unhandled
from app.providers.spoki_events import EnvelopeError, e164, parse, provider_id
from tests.support.events import GUEST, encode, envelope, inbound, outbound

UUID = "c1b2c3d4e5f60718293a4b5c6d7e8f92"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_a_guests_message() -> None:
    event = parse(encode(inbound("Perché?", uuid=UUID)))
    assert event.content == InboundMessage(UUID, GUEST, "Perché?")


def test_a_message_without_text_is_a_message() -> None:
    event = parse(encode(inbound("", text=None, content_type="Image")))
    assert isinstance(event.content, InboundMessage)
    assert event.content.text == ""


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


@pytest.mark.parametrize("metadata", [None, {}, {"correlation_id": 7}, {"other": "x"}])
def test_a_report_without_our_key(metadata: Any) -> None:
    content = parse(encode(outbound("Sent", None, UUID, metadata=metadata))).content
    assert isinstance(content, StatusReport)
    assert content.idempotency_key is None


@pytest.mark.parametrize(
    "event",
    [
        envelope("contact.created", {"id": 1}),
        envelope("message.inbound", None),
        envelope("message.inbound", {"uuid": UUID}),
        inbound("x", phone="not a phone"),
        outbound("Queued", "reply-1", UUID),
    ],
)
def test_what_is_not_understood_is_kept_with_a_reason(event: dict[str, Any]) -> None:
    content = parse(encode(event)).content
    assert isinstance(content, Unhandled)
    assert content.reason


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


@given(st.binary())
def test_no_body_whatever_makes_it_raise_anything_else(body: bytes) -> None:
    with pytest.raises(EnvelopeError):
        parse(body)


@pytest.mark.parametrize("phone", ["+390000000001", "390000000001", "+39 000 000 0001"])
def test_phones_are_e164(phone: str) -> None:
    assert e164(phone) == GUEST


def test_the_id_of_a_send_is_the_uuid_of_its_reports() -> None:
    assert provider_id("C1B2C3D4-e5f6-0718-293a-4b5c6d7e8f92") == UUID

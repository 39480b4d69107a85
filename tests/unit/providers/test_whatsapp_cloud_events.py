"""The Cloud API's webhooks, taken apart and in our words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.messages.events import Content, Delivery, InboundMessage, StatusReport, Unhandled
from app.providers.incoming import EnvelopeError
from app.providers.whatsapp_cloud_events import parse, read
from app.settings import ProviderName
from tests.support import samples
from tests.support.events import GUEST
from tests.support.mutations import damaged

CLOUD = ProviderName.WHATSAPP_CLOUD
NAMES = samples.names(CLOUD)
ALL = [samples.load(CLOUD, name) for name in NAMES]


def contents(name: str) -> list[Content]:
    return [kept.event.content for kept in read(samples.body(CLOUD, name))]


def message(name: str) -> InboundMessage:
    (content,) = contents(name)
    assert isinstance(content, InboundMessage)
    return content


def report(name: str) -> StatusReport:
    (content,) = contents(name)
    assert isinstance(content, StatusReport)
    return content


def test_a_guests_message() -> None:
    found = message("good/text")
    assert found.message_id.startswith("wamid.")
    assert found.phone == GUEST
    assert found.text == "Buongiorno, a che ora posso fare il check-in?"
    assert (found.choice_id, found.media, found.name) == (None, (), "Giulia Prova")


@pytest.mark.parametrize(
    ("name", "text", "media"),
    [
        ("good/image", "", ("image",)),
        ("good/image_with_caption", "Il bagno è così", ("image",)),
        ("good/voice", "", ("audio",)),
        ("good/video", "Senta il rumore", ("video",)),
        ("good/document", "Il passaporto", ("document",)),
        ("good/sticker", "", ("sticker",)),
        ("good/location", "", ("location",)),
        ("good/contacts", "", ("contacts",)),
        ("good/unsupported", "", ("unsupported",)),
        ("odd/image_is_null", "", ("image",)),
        ("odd/caption_is_a_number", "", ("image",)),
        ("odd/interactive_of_a_new_kind", "", ("interactive",)),
        ("odd/interactive_without_title", "", ("interactive",)),
        ("odd/text_without_body", "", ("text",)),
        ("odd/text_is_a_word", "", ("text",)),
    ],
)
def test_what_is_more_than_text(name: str, text: str, media: tuple[str, ...]) -> None:
    found = message(name)
    assert (found.text, found.media, found.choice_id) == (text, media, None)


@pytest.mark.parametrize(
    ("name", "title", "choice_id"),
    [
        ("good/button_reply", "Sì, grazie", "accept"),
        ("good/list_reply", "Wi-Fi", "wifi"),
        ("good/template_button", "Sì, grazie", "accept"),
        ("odd/button_without_payload", "Sì, grazie", None),
    ],
)
def test_what_was_tapped(name: str, title: str, choice_id: str | None) -> None:
    found = message(name)
    assert (found.text, found.choice_id, found.media) == (title, choice_id, ())


@pytest.mark.parametrize("name", ["good/reaction", "good/number_changed"])
def test_what_asks_for_nothing(name: str) -> None:
    (content,) = contents(name)
    assert isinstance(content, Unhandled)


def test_each_guest_has_their_own_name() -> None:
    found = contents("good/two_guests_in_one_change")
    assert [(one.text, one.name) for one in found if isinstance(one, InboundMessage)] == [
        ("Uno", "Giulia Prova"),
        ("Two", "Emma Sample"),
    ]


@pytest.mark.parametrize(
    ("status", "delivery"),
    [
        ("sent", Delivery.SENT),
        ("delivered", Delivery.DELIVERED),
        ("read", Delivery.READ),
        ("played", Delivery.READ),
        ("failed", Delivery.FAILED),
    ],
)
def test_a_status(status: str, delivery: Delivery) -> None:
    found = report(f"good/status_{status}")
    assert found.provider_id.startswith("wamid.")
    assert (found.idempotency_key, found.delivery) == ("reply-0001", delivery)
    assert found.reason == ("131026 Message undeliverable" if status == "failed" else None)
    assert not found.by_person


@pytest.mark.parametrize("name", ["good/status_without_our_key", "odd/key_is_an_object"])
def test_a_status_without_our_key(name: str) -> None:
    assert report(name).idempotency_key is None


def test_several_entries_and_changes_are_events_of_their_own() -> None:
    events = [kept.event for kept in read(samples.body(CLOUD, "good/several_entries_and_changes"))]
    assert [type(event.content) for event in events] == [InboundMessage] * 2 + [StatusReport] * 3
    assert len({event.event_id for event in events}) == 5
    assert [event.name for event in events] == ["messages"] * 2 + ["statuses"] * 3


def test_one_good_message_is_found_among_bad_ones() -> None:
    kinds = [type(content) for content in contents("odd/one_good_among_bad")]
    assert kinds == [Unhandled, Unhandled, InboundMessage, Unhandled]


@pytest.mark.parametrize(
    "name",
    [name for name in NAMES if name.startswith("odd/") and name != "odd/no_entries"]
    + ["good/template_status", "good/account_error"],
)
def test_what_is_not_understood_is_kept_with_an_id(name: str) -> None:
    for kept in read(samples.body(CLOUD, name)):
        assert 0 < len(kept.event.event_id) <= 256
        if isinstance(kept.event.content, Unhandled):
            assert kept.event.content.reason


@pytest.mark.parametrize("name", NAMES)
def test_each_event_is_kept_alone_and_read_again_as_it_was(name: str) -> None:
    for kept in read(samples.body(CLOUD, name)):
        assert parse(kept.body) == kept.event
        assert read(kept.body) == [kept]


def test_redelivery_has_the_same_ids_in_whatever_company() -> None:
    together = samples.load(CLOUD, "good/several_entries_and_changes")
    value = together["entry"][0]["changes"][0]["value"]
    first = read(json.dumps(together).encode())
    value["messages"].reverse()
    again = read(json.dumps(together, indent=1).encode())
    assert {kept.event.event_id for kept in first} == {kept.event.event_id for kept in again}
    assert sorted(kept.body for kept in first) == sorted(kept.body for kept in again)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b"{}",
        b'{"object":"page","entry":[]}',
        b'{"object":"whatsapp_business_account"}',
        b'{"object":"whatsapp_business_account","entry":{}}',
        b'{"object":"whatsapp_business_account","entry":["\xff"]}',
        b'{"object":"whatsapp_business_account","entry":["\\ud800"]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_webhook_is_refused(body: bytes) -> None:
    with pytest.raises(EnvelopeError):
        read(body)


def test_a_body_with_several_events_is_none_that_was_kept() -> None:
    with pytest.raises(EnvelopeError, match="5 events"):
        parse(samples.body(CLOUD, "good/several_entries_and_changes"))


@given(damaged(ALL))
def test_no_damage_makes_it_raise_and_all_that_is_kept_can_be_read(webhook: Any) -> None:
    try:
        found = read(json.dumps(webhook).encode())
    except EnvelopeError:
        whole = isinstance(webhook.get("entry"), list)
        assert not whole or webhook.get("object") != "whatsapp_business_account"
        return
    for kept in found:
        assert parse(kept.body) == kept.event


@given(st.binary())
def test_no_body_whatever_makes_it_raise_anything_else(body: bytes) -> None:
    with pytest.raises(EnvelopeError):
        read(body)


@pytest.mark.parametrize("number", [b"1e999", b"NaN", b"9" * 4000, b"-0"])
def test_any_number_can_be_kept(number: bytes) -> None:
    (kept,) = read(b'{"object":"whatsapp_business_account","entry":[' + number + b"]}")
    assert parse(kept.body) == kept.event

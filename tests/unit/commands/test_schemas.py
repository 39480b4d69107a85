"""Whatever comes in is either a command or refused: never a crash, and never quoted."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.commands.asked import MODELS, canonical, payload_of, read, subjects_of
from app.commands.registry import CommandName

SECRET = "Ada-Invented-secret"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = sorted(
    {field for model in MODELS for field in model.model_fields["payload"].annotation.model_fields}  # type: ignore[union-attr]
)
VALUES = JSON | st.sampled_from(
    (
        *("+390000000001", "hello", "2026-12-04", "2026-12-04T10:00:00+01:00", "12.50", "EUR"),
        *("en", "direct", "confirmed", "late_checkout", "sends", "\ud800", "\x00", "1e999"),
    )
)
PAYLOADS = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), VALUES, max_size=6)


@given(name=st.sampled_from(list(CommandName)) | st.text(max_size=10), payload=PAYLOADS | JSON)
def test_anything_is_a_command_or_refused(name: str, payload: Any) -> None:
    body = json.dumps({"name": name, "payload": payload})
    try:
        asked = read(body)
    except ValidationError:
        return
    # What was taken can be stored, read again, and is about somebody or nothing.
    stored = asked.payload.model_dump_json()
    stored.encode()
    assert payload_of(asked.name, stored) == asked.payload
    canonical(asked).encode()
    subjects_of(asked.payload)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(ValidationError):
        read(body)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("SEND_MESSAGE", {"phone": "000", "text": SECRET}),
        ("SEND_MESSAGE", {"phone": "+39 000 0000001", "text": SECRET, "extra": SECRET}),
        ("SEND_MESSAGE", {"phone": "+39 000 0000001"}),
        ("SEND_MESSAGE", {"phone": "+39 000 0000001", "text": " "}),
        ("SEND_MESSAGE", {"phone": "+39 000 0000001", "text": "a", "not_before": "2026-12-04"}),
        (
            "SEND_MESSAGE",
            {"phone": "+39 000 0000001", "text": "a", "not_before": "2026-12-04T10:00:00"},
        ),
        ("SEND_BATCH_MESSAGES", {"messages": []}),
        ("CREATE_GUEST", {"phone": "+39 000 0000001", "time_zone": SECRET}),
        ("UPSERT_BOOKING", {"channel": "a", "code": "b", "status": "ended"}),
        ("UPSERT_BOOKING", {"channel": "a", "code": "b", "status": "confirmed", "balance": "1"}),
        (
            "UPSERT_BOOKING",
            {
                "channel": "a",
                "code": "b",
                "status": "confirmed",
                "balance": "0.001",
                "currency": "EUR",
            },
        ),
        ("QUEUE_UPSELL", {"phone": "+39 000 0000001", "kind": "invoice"}),
        ("PAUSE", {"queue": "commands"}),
        ("PAUSE", {"queue": "all", "reason": "x"}),
        (SECRET, {}),
    ],
)
def test_what_is_wrong_is_refused_and_not_quoted(name: str, payload: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        read(json.dumps({"name": name, "payload": payload}))
    told = refused.value.errors(include_input=False, include_url=False, include_context=False)
    assert told
    assert name == SECRET or SECRET not in str([error["msg"] for error in told])

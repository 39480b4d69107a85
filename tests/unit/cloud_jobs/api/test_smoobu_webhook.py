"""Smoobu's webhook: whatever comes, it is answered, kept once, and the secret isn't told on."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cloud_jobs.store.exchange import InboundEvent
from tests.support.cloud_api import READER, WEBHOOK_SECRET, CloudApi, kind

PATH = f"/webhooks/smoobu/{WEBHOOK_SECRET}"
BODY = {"action": "updateReservation", "user": 7, "data": {"id": 12, "guest-name": "Ada Invented"}}


def kept(api: CloudApi) -> list[Any]:
    with api.store.reading() as session:
        rows = session.scalars(select(InboundEvent).order_by(InboundEvent.seq)).all()
    assert {row.name for row in rows} <= {"smoobu.changed"}
    return [
        json.loads(api.seal.open(row.payload, f"inbound_events.payload:{row.event_id}"))
        for row in rows
    ]


def test_a_body_is_kept_once_however_it_is_written(api: CloudApi) -> None:
    written = [
        json.dumps(BODY),
        json.dumps(BODY, indent=2),
        json.dumps(dict(reversed(BODY.items()))),
    ]
    for body in written:
        assert api.ask("POST", PATH, content=body).json() == {"kept": True}
    assert kept(api) == [{"body": BODY}]
    api.ask("POST", PATH, content=json.dumps(BODY | {"user": 8}))
    assert len(kept(api)) == 2


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/smoobu/wrong",
        "/webhooks/smoobu/",
        f"/webhooks/smoobu/{WEBHOOK_SECRET}x",
        f"/webhooks/smoobu/{WEBHOOK_SECRET[:-1]}",
        "/webhooks/smoobu/%00%ff",
        f"/webhooks/spoki/{WEBHOOK_SECRET}",
    ],
)
def test_another_address_is_none(api: CloudApi, path: str) -> None:
    answer = api.ask("POST", path, content=json.dumps(BODY))
    assert (answer.status_code, kind(answer)) == (404, "not-found")
    assert kept(api) == []


def test_without_a_secret_there_is_no_such_address(make_api: Any) -> None:
    api = make_api(smoobu_webhook_secret="")
    assert api.ask("POST", "/webhooks/smoobu/", content="{}").status_code == 404


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b"\xff\xfe", b'{"a": 1, "a": 2}', b"[" * 100_000, b"NaN"]
)
def test_what_is_no_object_is_answered_and_let_go(api: CloudApi, body: bytes) -> None:
    answer = api.ask("POST", PATH, content=body)
    assert (answer.status_code, answer.json()) == (200, {"kept": False})
    assert kept(api) == []


def test_what_is_too_large_is_refused(api: CloudApi) -> None:
    answer = api.ask("POST", PATH, content=b" " * (256 * 1024 + 1))
    assert (answer.status_code, kind(answer)) == (413, "body-too-large")


@pytest.mark.thorough
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    ).map(lambda value: json.dumps(value).encode())
)
def test_no_body_is_an_error_of_ours(api: CloudApi, body: bytes) -> None:
    assert api.ask("POST", PATH, content=body).status_code == 200


def test_the_secret_is_told_nowhere(api: CloudApi, capsys: pytest.CaptureFixture[str]) -> None:
    api.ask("POST", PATH, content=json.dumps(BODY))
    api.ask("POST", PATH, content=b"{")
    api.ask("POST", f"{PATH}x", content=b"{}")
    metrics = api.signed("GET", "/metrics", by=READER)
    assert 'path="/webhooks/smoobu/{secret}"' in metrics.text
    said = "".join(capsys.readouterr()) + metrics.text
    assert WEBHOOK_SECRET not in said
    assert "Ada" not in said

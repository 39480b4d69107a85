"""Real gateways, for either provider: every recorded shape is answered, and kept at most once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.providers.registry import WEBHOOKS
from app.settings import ProviderName
from app.store.database import Database
from tests.integration.conftest import IMPATIENT
from tests.support import samples
from tests.support.cloud_events import (
    APP_SECRET,
    PHONE_NUMBER_ID,
    VERIFY_TOKEN,
    cloud_signed,
    cloud_status,
    cloud_text,
)
from tests.support.events import GUEST, encode, signed
from tests.support.guest import settled, states
from tests.support.processes import (
    WEBHOOK_SECRET,
    Stack,
    eventually,
    stack,
)
from tests.support.scripted import Answer, Asked, Scripted, scripted

CLOUD = ProviderName.WHATSAPP_CLOUD
TOKEN = "invented-token"
CLOUD_SETTINGS = {
    "PORTIERE_PROVIDER": "whatsapp_cloud",
    "PORTIERE_WHATSAPP_ACCESS_TOKEN": TOKEN,
    "PORTIERE_WHATSAPP_PHONE_NUMBER_ID": PHONE_NUMBER_ID,
    "PORTIERE_WHATSAPP_APP_SECRET": f"the-next-secret,{APP_SECRET}",
    "PORTIERE_WHATSAPP_VERIFY_TOKEN": VERIFY_TOKEN,
    # Not needed where the other provider is chosen.
    "PORTIERE_SPOKI_API_KEY": "",
    "PORTIERE_SPOKI_WEBHOOK_SECRET": "",
}


def accept(asked: Asked) -> Answer:
    """What Meta answers: an id that we can tell from our key."""
    key = asked.body["biz_opaque_callback_data"]
    return Answer(200, {"messaging_product": "whatsapp", "messages": [{"id": f"wamid.{key}"}]})


@pytest.fixture(scope="module")
def graph() -> Iterator[Scripted]:
    """Meta's API."""
    with scripted(accept) as found:
        yield found


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, graph: Scripted) -> Iterator[Stack]:
    """A gateway and a worker that speak with the Cloud API."""
    overrides = IMPATIENT | CLOUD_SETTINGS | {"PORTIERE_WHATSAPP_BASE_URL": f"{graph.url}/v23.0"}
    with stack(tmp_path_factory.mktemp("cloud"), **overrides) as found:
        found.start_gateway()
        yield found


def post(url: str, body: bytes, secret: str = APP_SECRET) -> httpx.Response:
    return httpx.post(f"{url}/webhooks/whatsapp", content=body, headers=cloud_signed(body, secret))


def kept(found: Stack, **wanted: str) -> list[dict[str, Any]]:
    """The rows of these values."""
    rows = [dict(row) for row in Database(found.database).all("SELECT * FROM inbox ORDER BY id")]
    return [row for row in rows if wanted.items() <= row.items()]


@pytest.mark.parametrize("name", samples.names(CLOUD))
def test_each_shape_of_the_cloud_api_is_taken_and_kept_once(cloud: Stack, name: str) -> None:
    body = samples.body(CLOUD, name)
    events = {one.event.event_id for one in WEBHOOKS[CLOUD].read(body)}
    for _ in range(2):
        answer = post(cloud.gateway_url, body)
        assert answer.status_code == 200, answer.text
    rows = [row for row in kept(cloud, source="whatsapp_cloud") if row["event_id"] in events]
    assert len(rows) == len(events)


@pytest.mark.parametrize("name", samples.names(ProviderName.SPOKI))
def test_each_shape_of_spokis_is_taken_and_kept_once(idle: Stack, name: str) -> None:
    body = samples.body(ProviderName.SPOKI, name)
    for duplicate in (False, True):
        answer = httpx.post(
            f"{idle.gateway_url}/webhooks/spoki", content=body, headers=signed(body, WEBHOOK_SECRET)
        )
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"accepted": True, "duplicate": duplicate}
    assert len(kept(idle, source="spoki")) == 1


@pytest.mark.parametrize("body", [b"", b"hello", b"[1]", b"{}", b"\xff\xfe", b'{"object":3}'])
def test_a_body_that_is_no_webhook_is_refused_clearly(cloud: Stack, body: bytes) -> None:
    before = len(kept(cloud))
    answer = post(cloud.gateway_url, body)
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:portiere:problem:not-an-event"
    assert len(kept(cloud)) == before


def test_a_bad_signature_is_refused_and_leaves_no_row(cloud: Stack) -> None:
    before = len(kept(cloud))
    assert post(cloud.gateway_url, encode(cloud_text("Ciao")), "another").status_code == 401
    assert len(kept(cloud)) == before


def test_spokis_place_is_closed_and_metas_question_is_answered(cloud: Stack) -> None:
    closed = httpx.post(f"{cloud.gateway_url}/webhooks/spoki", content=b"{}")
    assert closed.status_code == 404
    assert closed.json()["type"] == "urn:portiere:problem:not-this-provider"
    asked = {
        "hub.mode": "subscribe",
        "hub.verify_token": VERIFY_TOKEN,
        "hub.challenge": "1158201444",
    }
    url = f"{cloud.gateway_url}/webhooks/whatsapp"
    assert httpx.get(url, params=asked).text == "1158201444"
    assert httpx.get(url, params=asked | {"hub.verify_token": "no"}).status_code == 403


def test_a_guest_is_answered_by_way_of_the_cloud_api(tmp_path: Path, graph: Scripted) -> None:
    graph.asked.clear()
    overrides = IMPATIENT | CLOUD_SETTINGS | {"PORTIERE_WHATSAPP_BASE_URL": f"{graph.url}/v23.0"}
    with stack(tmp_path, **overrides) as own:
        own.start_gateway()
        own.start_worker()
        assert post(own.gateway_url, encode(cloud_text("A che ora è la colazione?"))).is_success
        eventually(lambda: states(own)["sent"] == 1, "the answer is sent")
        (asked,) = graph.asked
        assert asked.path == f"/v23.0/{PHONE_NUMBER_ID}/messages"
        assert asked.headers["authorization"] == f"Bearer {TOKEN}"
        assert asked.body["to"] == GUEST
        key = asked.body["biz_opaque_callback_data"]
        for state in ("delivered", "sent", "read"):
            assert post(
                own.gateway_url, encode(cloud_status(state, f"wamid.{key}", key))
            ).is_success
        eventually(lambda: states(own)["read"] == 1 and settled(own), "the answer was read")


def test_a_doubt_is_ended_by_a_status_with_our_key(tmp_path: Path, graph: Scripted) -> None:
    graph.asked.clear()
    graph.answers = [Answer(None)]
    overrides = (
        IMPATIENT
        | CLOUD_SETTINGS
        | {
            "PORTIERE_WHATSAPP_BASE_URL": f"{graph.url}/v23.0",
            # Longer than the test: nothing but the status may end the doubt.
            "PORTIERE_SEND_ECHO_WAIT": "120",
        }
    )
    with stack(tmp_path, **overrides) as own:
        own.start_gateway()
        own.start_worker()
        assert post(own.gateway_url, encode(cloud_text("A che ora è la colazione?"))).is_success
        eventually(lambda: states(own)["unknown"] == 1, "the send is in doubt")
        key = graph.asked[0].body["biz_opaque_callback_data"]
        assert post(own.gateway_url, encode(cloud_status("sent", "wamid.x", key))).is_success
        eventually(lambda: states(own)["sent"] == 1, "the doubt is ended")
        assert len(graph.asked) == 1

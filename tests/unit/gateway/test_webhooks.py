"""The gateway in this process, over a real database: any body at all gets a clear answer."""

import asyncio
import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.gateway.api import make_app
from app.providers.registry import WEBHOOKS
from app.settings import ProviderName, Settings
from app.store.database import Database
from tests.support import samples
from tests.support.cloud_events import (
    APP_SECRET,
    VERIFY_TOKEN,
    cloud_message,
    cloud_signed,
    cloud_text,
    cloud_webhook,
)
from tests.support.events import encode, inbound, signed
from tests.support.mutations import damaged
from tests.support.processes import WEBHOOK_SECRET, free_port

KEY = base64.b64encode(b"k" * 32).decode()
PROVIDERS = list(ProviderName)
SAMPLES = {
    provider: [samples.load(provider, name) for name in samples.names(provider)]
    for provider in ProviderName
}
# The gateway lives as long as the module; that it keeps rows from one example to the next is meant.
LASTING = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@dataclass
class Gateway:
    """A leader's app, its loop, and its database."""

    provider: ProviderName
    loop: asyncio.AbstractEventLoop
    client: httpx.AsyncClient
    database: Database

    @property
    def path(self) -> str:
        """Where the webhooks go."""
        return WEBHOOKS[self.provider].path

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Any request."""
        return self.loop.run_until_complete(self.client.request(method, path, **more))

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """A webhook, rightly signed unless ``headers`` are given."""
        right = signed(body, WEBHOOK_SECRET)
        if self.provider is ProviderName.WHATSAPP_CLOUD:
            right = cloud_signed(body)
        given = right if headers is None else dict(headers)
        return self.ask("POST", self.path, content=body, headers=given)

    def rows(self) -> int:
        """How many events are kept."""
        row = self.database.one("SELECT count(*) AS n FROM inbox")
        return int(row["n"]) if row else 0


def _settings(provider: ProviderName, database: Path) -> Settings:
    return Settings.model_validate(
        {
            "provider": provider,
            "database": database,
            # Nobody is there: what is accepted must not depend on it.
            "redis_url": f"redis://127.0.0.1:{free_port()}/0",
            "seal_keys": f"k1:{KEY}",
            "index_key": KEY,
            "spoki_api_key": "invented-key",
            "spoki_webhook_secret": WEBHOOK_SECRET,
            "whatsapp_access_token": "invented-token",
            "whatsapp_phone_number_id": "1001",
            "whatsapp_app_secret": APP_SECRET,
            "whatsapp_verify_token": VERIFY_TOKEN,
        }
    )


def _serving(provider: ProviderName, directory: Path) -> Iterator[Gateway]:
    path = directory / "portiere.db"
    loop = asyncio.new_event_loop()
    app = make_app(_settings(provider, path))
    lifespan = app.router.lifespan_context(app)
    loop.run_until_complete(lifespan.__aenter__())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://gateway.example.invalid")
    database = Database(path)
    yield Gateway(provider, loop, client, database)
    database.close()
    loop.run_until_complete(client.aclose())
    loop.run_until_complete(lifespan.__aexit__(None, None, None))
    loop.close()


@pytest.fixture(scope="module", params=PROVIDERS)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway for each provider in turn."""
    yield from _serving(request.param, tmp_path_factory.mktemp("gateway"))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway for the Cloud API."""
    directory = tmp_path_factory.mktemp("cloud")
    yield from _serving(ProviderName.WHATSAPP_CLOUD, directory)


@LASTING
@given(st.data())
def test_no_damaged_webhook_is_an_error_of_ours(gateway: Gateway, data: st.DataObject) -> None:
    body = json.dumps(data.draw(damaged(SAMPLES[gateway.provider]))).encode()
    answer = gateway.post(body)
    assert answer.status_code in {200, 400}, answer.text
    assert gateway.post(body).status_code == answer.status_code


@LASTING
@given(st.binary())
def test_no_body_whatever_is_an_error_of_ours(gateway: Gateway, body: bytes) -> None:
    before = gateway.rows()
    assert gateway.post(body).status_code == 400
    assert gateway.rows() == before


@LASTING
@given(st.data())
def test_no_body_with_a_wrong_signature_is_kept(gateway: Gateway, data: st.DataObject) -> None:
    body = json.dumps(data.draw(damaged(SAMPLES[gateway.provider]))).encode()
    header = WEBHOOKS[gateway.provider].header
    wrong = [
        {},
        {header: data.draw(st.text(st.characters(max_codepoint=255)))},
        signed(body, "another secret"),
        cloud_signed(body, "another secret"),
        signed(body + b" ", WEBHOOK_SECRET),
        cloud_signed(body + b" "),
    ]
    before = gateway.rows()
    headers = {
        name.encode(): value.encode("latin-1")
        for name, value in data.draw(st.sampled_from(wrong)).items()
    }
    answer = gateway.ask("POST", gateway.path, content=body, headers=headers)
    assert answer.status_code == 401
    assert gateway.rows() == before


def test_the_same_webhook_again_is_a_duplicate(gateway: Gateway) -> None:
    event = inbound("Ciao") if gateway.provider is ProviderName.SPOKI else cloud_text("Ciao")
    first, second = gateway.post(encode(event)), gateway.post(encode(event))
    assert (first.status_code, first.json()["duplicate"]) == (200, False)
    assert (second.status_code, second.json()["duplicate"]) == (200, True)


def test_the_other_provider_has_no_place_here(gateway: Gateway) -> None:
    for provider in ProviderName:
        if provider is gateway.provider:
            continue
        for method in ("GET", "POST"):
            answer = gateway.ask(method, WEBHOOKS[provider].path)
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"


def test_a_webhook_with_many_events_is_kept_whole(cloud: Gateway) -> None:
    before = cloud.rows()
    messages = [cloud_message(text={"body": f"Ciao {number}"}) for number in range(300)]
    assert cloud.post(encode(cloud_webhook(messages=messages))).status_code == 200
    assert cloud.rows() == before + 300
    again = [*messages[:2], cloud_message(text={"body": "Ancora"})]
    answer = cloud.post(encode(cloud_webhook(messages=again)))
    assert answer.json() == {"accepted": True, "duplicate": False}
    assert cloud.rows() == before + 301


def test_a_webhook_of_up_to_three_mebibytes_is_read(cloud: Gateway) -> None:
    largest = WEBHOOKS[ProviderName.WHATSAPP_CLOUD].largest_body
    body = encode(cloud_text("Ciao"))
    fitting = body + b" " * (largest - len(body))
    assert cloud.post(fitting).status_code == 200
    assert cloud.post(fitting + b" ").status_code == 413


RIGHT = {
    "hub.mode": "subscribe",
    "hub.verify_token": VERIFY_TOKEN,
    "hub.challenge": "<b>1158201444</b>",
}


def test_metas_challenge_is_said_back_as_plain_text(cloud: Gateway) -> None:
    answer = cloud.ask("GET", cloud.path, params=RIGHT)
    assert (answer.status_code, answer.text) == (200, RIGHT["hub.challenge"])
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "wrong",
    [
        {"hub.verify_token": "another"},
        {"hub.verify_token": ""},
        {"hub.verify_token": "perché"},
        {"hub.mode": "unsubscribe"},
        {"hub.challenge": ""},
        *({name: None} for name in RIGHT),
    ],
)
def test_whoever_has_not_our_token_gets_no_answer(
    cloud: Gateway, wrong: dict[str, str | None]
) -> None:
    asked = {name: value for name, value in (RIGHT | wrong).items() if value is not None}
    answer = cloud.ask("GET", cloud.path, params=asked)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


@LASTING
@given(st.binary())
def test_no_question_whatever_is_an_error_of_ours(cloud: Gateway, token: bytes) -> None:
    query = "hub.verify_token=" + "".join(f"%{byte:02x}" for byte in token)
    assert cloud.ask("GET", f"{cloud.path}?{query}").status_code == 403

"""The provider that is configured is the one that is made; either's stored events can be read."""

import base64

import pytest

from app.messages.catalogue import Catalogue
from app.messages.outgoing import Text
from app.messages.provider import NotSentError
from app.providers.registry import WEBHOOKS, make_provider, parse_stored
from app.providers.spoki import Spoki
from app.providers.whatsapp_cloud import WhatsAppCloud
from app.settings import ProviderName, Settings
from tests.support import samples
from tests.support.events import GUEST
from tests.support.processes import free_port

KEY = base64.b64encode(b"k" * 32).decode()


def settings(provider: ProviderName) -> Settings:
    nowhere = f"http://127.0.0.1:{free_port()}"
    return Settings.model_validate(
        {
            "provider": provider,
            "seal_keys": f"k1:{KEY}",
            "index_key": KEY,
            "spoki_base_url": nowhere,
            "spoki_api_key": "invented-key",
            "spoki_webhook_secret": "invented-secret",
            "whatsapp_base_url": nowhere,
            "whatsapp_access_token": "invented-token",
            "whatsapp_phone_number_id": "1001",
            "whatsapp_app_secret": "invented-secret",
            "whatsapp_verify_token": "invented-word",
        }
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [(ProviderName.SPOKI, Spoki), (ProviderName.WHATSAPP_CLOUD, WhatsAppCloud)],
)
def test_the_configured_provider_is_made(
    name: ProviderName, kind: type, templates: Catalogue
) -> None:
    provider = make_provider(settings(name), templates)
    assert isinstance(provider, kind)
    with pytest.raises(NotSentError):
        provider.send(GUEST, Text("Ciao"), "reply-1")


def test_each_provider_has_a_place_of_its_own() -> None:
    assert set(WEBHOOKS) == set(ProviderName)
    assert len({webhook.path for webhook in WEBHOOKS.values()}) == len(WEBHOOKS)


@pytest.mark.parametrize(
    ("source", "sample"), [("spoki", "good/inbound_text"), ("whatsapp_cloud", "good/text")]
)
def test_what_was_kept_is_read_by_who_sent_it(source: str, sample: str) -> None:
    provider = ProviderName(source)
    (kept,) = WEBHOOKS[provider].read(samples.body(provider, sample))
    assert kept.event.source == source
    assert parse_stored(source, kept.body) == kept.event


@pytest.mark.parametrize(
    ("source", "body"), [("pigeon", b"{}"), ("spoki", b"{}"), ("whatsapp_cloud", b"{}")]
)
def test_what_can_t_be_read_is_a_value_error(source: str, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_stored(source, body)

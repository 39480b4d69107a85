"""Which provider carries the messages, and who reads what was kept of its webhooks."""

from collections.abc import Mapping

from app.messages.catalogue import Catalogue
from app.messages.events import Event
from app.messages.provider import Provider
from app.providers import (
    spoki_events,
    spoki_signature,
    whatsapp_cloud_events,
    whatsapp_cloud_signature,
)
from app.providers.incoming import Webhook
from app.providers.spoki import Spoki
from app.providers.whatsapp_cloud import WhatsAppCloud
from app.settings import ProviderName, Settings

# The names are also those of the inbox's ``source``.
WEBHOOKS: Mapping[ProviderName, Webhook] = {
    ProviderName.SPOKI: Webhook(
        path="/webhooks/spoki",
        header=spoki_signature.HEADER,
        # Its largest event is some tens of kilobytes: media come as links.
        largest_body=1024 * 1024,
        verify=spoki_signature.verify,
        read=spoki_events.read,
        parse=spoki_events.parse,
    ),
    ProviderName.WHATSAPP_CLOUD: Webhook(
        path="/webhooks/whatsapp",
        header=whatsapp_cloud_signature.HEADER,
        # Meta's own bound of a webhook that gathers many events.
        largest_body=3 * 1024 * 1024,
        verify=whatsapp_cloud_signature.verify,
        read=whatsapp_cloud_events.read,
        parse=whatsapp_cloud_events.parse,
    ),
}


def make_provider(settings: Settings, catalogue: Catalogue) -> Provider:
    """The provider that is configured, with a connection for each of the worker's threads."""
    if settings.provider is ProviderName.SPOKI:
        return Spoki(
            str(settings.spoki_base_url),
            settings.spoki_api_key.get_secret_value(),
            settings.send_timeout,
            settings.worker_threads,
            catalogue,
        )
    return WhatsAppCloud(
        f"{str(settings.whatsapp_base_url).rstrip('/')}/{settings.whatsapp_phone_number_id}",
        settings.whatsapp_access_token.get_secret_value(),
        settings.send_timeout,
        settings.worker_threads,
        catalogue,
    )


def parse_stored(source: str, body: bytes) -> Event:
    """Read an event that the inbox kept, by its ``source``: whoever is configured by now.

    Raises ValueError if there is no such provider, or it can't read the body any more.
    """
    return WEBHOOKS[ProviderName(source)].parse(body)

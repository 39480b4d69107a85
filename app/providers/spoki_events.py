"""Spoki's webhook events (version 2) in our words.

The envelope is ``{version, event, event_uuid, timestamp, data}``; ``message.inbound`` is a guest's
message, ``message.outbound`` reports on one of ours each time its ``send_status`` changes. Facts
from Spoki's external-webhooks contract and recorded webhooks.
"""

from functools import lru_cache
from typing import Any, Literal

import phonenumbers
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.messages.events import (
    Content,
    Delivery,
    Event,
    InboundMessage,
    StatusReport,
    Unhandled,
)

SOURCE = "spoki"
# Our idempotency key travels in the metadata of a send, and comes back in its reports.
METADATA_KEY = "correlation_id"

_DELIVERIES = {
    "Sent": Delivery.SENT,
    "Delivered": Delivery.DELIVERED,
    "Read": Delivery.READ,
    "Error": Delivery.FAILED,
}


class EnvelopeError(Exception):
    """The body is not an event of Spoki's; the message says what is wrong with it."""


class _Envelope(BaseModel):
    model_config = ConfigDict(strict=True)

    event: str = Field(min_length=1, max_length=100)
    event_uuid: str = Field(min_length=1, max_length=100)
    data: Any = None


class _Inbound(BaseModel):
    uuid: str = Field(min_length=1, max_length=100)
    from_phone: str
    text: str | None = None


class _Outbound(BaseModel):
    uuid: str = Field(min_length=1, max_length=100)
    send_status: Literal["Sent", "Delivered", "Read", "Error"]
    metadata: dict[str, Any] | None = None
    error_code: str | None = None
    send_error_message: str | None = None


def parse(body: bytes) -> Event:
    """Read one event. Raises :class:`EnvelopeError`; nothing inside ``data`` makes it raise."""
    try:
        envelope = _Envelope.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise EnvelopeError(f"{where}: {first['msg']}") from None
    content = _content(envelope.event, envelope.data)
    return Event(SOURCE, envelope.event_uuid, envelope.event, content)


def provider_id(uuid: str) -> str:
    """Sends are answered with a dashed uuid, and reported on by the same 32 digits without."""
    return uuid.replace("-", "").lower()


def _content(event: str, data: object) -> Content:
    try:
        if event == "message.inbound":
            return _inbound(_Inbound.model_validate(data))
        if event == "message.outbound":
            return _outbound(_Outbound.model_validate(data))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return Unhandled(f"data.{where}: {first['msg']}")
    return Unhandled("nothing is done about this kind of event")


def _inbound(data: _Inbound) -> Content:
    phone = e164(data.from_phone)
    if phone is None:
        return Unhandled("data.from_phone is not a phone number")
    return InboundMessage(data.uuid, phone, data.text or "")


def _outbound(data: _Outbound) -> StatusReport:
    key = (data.metadata or {}).get(METADATA_KEY)
    reasons = [data.error_code, data.send_error_message]
    return StatusReport(
        provider_id=provider_id(data.uuid),
        idempotency_key=key if isinstance(key, str) else None,
        delivery=_DELIVERIES[data.send_status],
        reason=" ".join(reason for reason in reasons if reason) or None,
    )


@lru_cache(maxsize=1024)  # a guest writes more than once, and parsing is the dearest step here
def e164(phone: str) -> str | None:
    """The phone in E.164, whether or not it came with its ``+``; None if it is no number."""
    try:
        number = phonenumbers.parse(phone if phone.startswith("+") else f"+{phone}")
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

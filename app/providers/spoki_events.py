"""Spoki's webhook events (version 2) in our words.

The envelope is ``{version, event, event_uuid, timestamp, data}``; ``message.inbound`` is a guest's
message, ``message.outbound`` reports on one of ours, or of somebody who writes in Spoki's own
inbox, each time its ``send_status`` changes. Facts from Spoki's external-webhooks contract and
recorded webhooks. What the contract leaves open: the fields of ``contact`` (taken as those of
``contacts/sync/``) and whether a file's ``content_type`` is ``Image`` or ``image/jpeg`` (both are
read).
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.messages.events import (
    Content,
    Delivery,
    Event,
    InboundMessage,
    StatusReport,
    Unhandled,
)
from app.providers.incoming import EnvelopeError, Kept, first_mistake
from app.providers.phones import e164

SOURCE = "spoki"
# Our idempotency key travels in the metadata of a send, and comes back in its reports.
METADATA_KEY = "correlation_id"

_DELIVERIES = {
    "Sent": Delivery.SENT,
    "Delivered": Delivery.DELIVERED,
    "Read": Delivery.READ,
    "Error": Delivery.FAILED,
}
# Kinds of message that are words and nothing else.
_WORDS = frozenset({"text", "button", "interactive", "list"})


class _Envelope(BaseModel):
    model_config = ConfigDict(strict=True)

    event: str = Field(min_length=1, max_length=100)
    event_uuid: str = Field(min_length=1, max_length=100)
    data: Any = None


class _Inbound(BaseModel):
    """What a message can't do without is checked; the rest is taken where it makes sense."""

    uuid: str = Field(min_length=1, max_length=100)
    from_phone: str
    text: str | None = None
    content_type: Any = None
    payload: Any = None
    mediamessage_set: Any = None
    contact: Any = None


class _Outbound(BaseModel):
    uuid: str = Field(min_length=1, max_length=100)
    send_status: Literal["Sent", "Delivered", "Read", "Error"]
    to_phone: Any = None
    metadata: Any = None
    error_code: Any = None
    send_error_message: Any = None
    is_sent_from_ai: Any = None
    sender_id: Any = None
    sender_ref: Any = None


def parse(body: bytes) -> Event:
    """Read one event. Raises :class:`EnvelopeError`; nothing inside ``data`` makes it raise."""
    try:
        envelope = _Envelope.model_validate_json(body)
    except ValidationError as error:
        raise EnvelopeError(first_mistake(error)) from None
    content = _content(envelope.event, envelope.data)
    return Event(SOURCE, envelope.event_uuid, envelope.event, content)


def read(body: bytes) -> list[Kept]:
    """The one event of a webhook, kept as it came. Raises :class:`EnvelopeError`."""
    return [Kept(parse(body), body)]


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
        return Unhandled(f"data.{first_mistake(error)}")
    return Unhandled("nothing is done about this kind of event")


def _inbound(data: _Inbound) -> Content:
    phone = e164(data.from_phone)
    if phone is None:
        return Unhandled("data.from_phone is not a phone number")
    kind = _kind(data.content_type) or "text"
    if kind == "reaction":
        return Unhandled("a reaction asks for no answer")
    return InboundMessage(
        message_id=data.uuid,
        phone=phone,
        text=data.text or "",
        choice_id=_string(data.payload),
        media=_media(data.mediamessage_set, kind),
        name=_name(data.contact),
    )


def _media(files: object, kind: str) -> tuple[str, ...]:
    """What came along: a kind for each file, or the message's own where it has none."""
    each = [one for one in files if isinstance(one, dict)] if isinstance(files, list) else []
    if each:
        return tuple(_kind(one.get("content_type")) or "file" for one in each)
    return () if kind in _WORDS else (kind,)


def _kind(content_type: object) -> str | None:
    """``Image`` and ``image/jpeg`` are both an image, and a PDF (``application/…``) a document."""
    kind = (_string(content_type) or "").partition("/")[0].strip().lower()
    return "document" if kind == "application" else kind or None


def _name(contact: object) -> str | None:
    if not isinstance(contact, dict):
        return None
    parts = (_string(contact.get(part)) for part in ("first_name", "last_name"))
    return " ".join(part.strip() for part in parts if part).strip() or None


def _outbound(data: _Outbound) -> StatusReport:
    key = _string(data.metadata.get(METADATA_KEY)) if isinstance(data.metadata, dict) else None
    reasons = (_string(data.error_code), _string(data.send_error_message))
    sender = data.sender_id or data.sender_ref
    by_person = key is None and bool(sender) and data.is_sent_from_ai is not True
    return StatusReport(
        provider_id=provider_id(data.uuid),
        idempotency_key=key,
        delivery=_DELIVERIES[data.send_status],
        reason=" ".join(reason for reason in reasons if reason) or None,
        phone=e164(_string(data.to_phone) or "") if by_person else None,
        by_person=by_person,
    )


def _string(value: object) -> str | None:
    """``value`` if it is a string that says something."""
    return value if isinstance(value, str) and value else None

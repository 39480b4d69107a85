"""The webhooks' bodies, field by field as Spoki's version 2 has them."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from app.providers.sandbox.state import Message, Report

# Spoki keeps one chat per guest; any namespace will do as long as it stays the same.
_CHATS = uuid.UUID("6f0b7d52-2a55-4c0e-9d6b-0b8f3d3f5a10")
_CHAT_URL = "https://app.spoki.com/chats/"
# Who writes from Spoki's inbox.
_DESK = "desk@example.invalid"
_TIME = {"Image": "timestamp"}


def body(message: Message, report: Report, account_phone: str) -> bytes:
    """The raw body of the webhook about ``message`` that ``report`` stands for (UTF-8 JSON)."""
    data = _inbound(message, account_phone) if message.direction == "Inbound" else None
    if data is None:
        data = _outbound(message, report, account_phone)
    return encode(report.event, report.event_uuid, report.at, data)


def encode(event: str, event_uuid: str, at_ms: float, data: dict[str, Any]) -> bytes:
    """Put ``data`` into the envelope; ``at_ms`` is in milliseconds since the epoch."""
    envelope = {
        "version": 2,
        "event": event,
        "event_uuid": event_uuid,
        "timestamp": at_ms / 1000,
        "data": data,
    }
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()


def _inbound(message: Message, account_phone: str) -> dict[str, Any]:
    return _data(
        message,
        type="Incoming Message",
        from_phone=message.phone,
        to_phone=account_phone,
        send_status="---",
        preview=message.text or message.content_type,
    )


def _outbound(message: Message, report: Report, account_phone: str) -> dict[str, Any]:
    failed = report.send_status == "Error"
    return _data(
        message,
        type="Message",
        from_phone=account_phone,
        to_phone=message.phone,
        send_status=report.send_status,
        error_code=message.error_code if failed else None,
        send_error_message="Message undeliverable" if failed else None,
        preview={"body": message.text},
    ) | {
        "template": message.template,
        "is_sent_from_ai": False,
        "sender_id": message.sender_id,
        "sender_ref": None if message.sender_id is None else _DESK,
    }


def _data(message: Message, **given: Any) -> dict[str, Any]:
    """What both directions have; ``given`` are the fields in which they differ."""
    chat_uuid = str(uuid.uuid5(_CHATS, message.phone))
    created = datetime.fromtimestamp(message.created_at / 1000, tz=UTC)
    return {
        "uuid": message.uuid,
        "direction": message.direction,
        "type": given["type"],
        "content_type": message.content_type,
        "from_phone": given["from_phone"],
        "to_phone": given["to_phone"],
        "is_hidden": False,
        "send_status": given["send_status"],
        "sent_datetime": None,
        "delivered_datetime": None,
        "send_error_message": given.get("send_error_message"),
        "error_code": given.get("error_code"),
        "error_url": None,
        "preview": given["preview"],
        "text": message.text or None,
        # A text has its time in `timestamp_ms`, an image in `timestamp`; both are milliseconds.
        _TIME.get(message.content_type, "timestamp_ms"): int(message.created_at),
        "created_datetime": created.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "mediamessage_set": _files(message) if message.direction == "Inbound" else [],
        "locationmessage": None,
        "contactsmessage_set": [],
        "contact": _contact(message),
        "metadata": message.metadata,
        "payload": message.payload,
        "chat_uuid": chat_uuid,
        "chat_link": f"{_CHAT_URL}{chat_uuid}",
    }


def _files(message: Message) -> list[dict[str, Any]]:
    """The photo of a guest's message, if it is one."""
    media = message.parts.get("media")
    if media is None:
        return []
    file = {
        "content_type": "image/jpeg",
        "id": message.id,
        "media": media["url"],
        "timestamp": int(message.created_at),
        "title": None,
    }
    return [file]


def _contact(message: Message) -> dict[str, str] | None:
    """Who the guest is in the account's contacts, where the phone page told a name."""
    if message.name is None:
        return None
    first_name, _, last_name = message.name.partition(" ")
    return {"phone": message.phone, "first_name": first_name, "last_name": last_name}

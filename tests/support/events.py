"""Spoki's events as its webhooks have them, signed; with invented guests."""

import json
import time
from typing import Any
from uuid import uuid4

from app.providers import spoki_signature

GUEST = "+390000000001"
HOTEL = "390000000099"


def inbound(text: str, /, phone: str = GUEST, **overrides: Any) -> dict[str, Any]:
    """A guest's text message."""
    data = {
        "uuid": uuid4().hex,
        "direction": "Inbound",
        "type": "Incoming Message",
        "content_type": "Text",
        "from_phone": phone,
        "to_phone": HOTEL,
        "send_status": "---",
        "preview": text,
        "text": text,
        "timestamp_ms": 1790000000000,
        "mediamessage_set": [],
        "contact": None,
        "metadata": None,
        "payload": None,
    }
    return envelope("message.inbound", data | overrides)


def outbound(status: str, key: str | None, uuid: str, **overrides: Any) -> dict[str, Any]:
    """A report on a message of ours."""
    data = {
        "uuid": uuid,
        "direction": "Outbound",
        "type": "Message",
        "content_type": "Text",
        "from_phone": HOTEL,
        "to_phone": GUEST,
        "send_status": status,
        "send_error_message": None,
        "error_code": None,
        "metadata": {"correlation_id": key} if key else None,
    }
    return envelope("message.outbound", data | overrides)


def envelope(event: str, data: Any) -> dict[str, Any]:
    """An event of any kind, with an id of its own."""
    return {
        "version": 2,
        "event": event,
        "event_uuid": str(uuid4()),
        "timestamp": time.time(),
        "data": data,
    }


def encode(event: dict[str, Any]) -> bytes:
    """The body of a webhook."""
    return json.dumps(event, ensure_ascii=False).encode()


def signed(body: bytes, secret: str, at: float | None = None) -> dict[str, str]:
    """The headers of a webhook."""
    timestamp = int(time.time() if at is None else at)
    return {
        "Content-Type": "application/json",
        spoki_signature.HEADER: spoki_signature.sign(secret, timestamp, body),
    }

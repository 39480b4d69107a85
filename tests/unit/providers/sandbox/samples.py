"""Spoki's webhooks and sends as they really look, with invented values."""

from typing import Any

_DATA: dict[str, Any] = {
    "uuid": "a1b2c3d4e5f60718293a4b5c6d7e8f90",
    "direction": "Inbound",
    "type": "Incoming Message",
    "content_type": "Text",
    "from_phone": "+390000000001",
    "to_phone": "390000000099",
    "is_hidden": False,
    "send_status": "---",
    "sent_datetime": None,
    "delivered_datetime": None,
    "send_error_message": None,
    "error_code": None,
    "error_url": None,
    "preview": "Buongiorno, a che ora posso fare il check-in?",
    "text": "Buongiorno, a che ora posso fare il check-in?",
    "timestamp_ms": 1790000000000,
    "created_datetime": "2026-09-21T14:13:20.000000Z",
    "mediamessage_set": [],
    "locationmessage": None,
    "contactsmessage_set": [],
    "contact": None,
    "metadata": None,
    "payload": None,
    "chat_uuid": "00000000-0000-4000-8000-000000000001",
    "chat_link": "https://app.spoki.com/chats/00000000-0000-4000-8000-000000000001",
}

INBOUND: dict[str, Any] = {
    "version": 2,
    "event": "message.inbound",
    "event_uuid": "00000000-0000-4000-8000-0000000000e1",
    "timestamp": 1790000000.123456,
    "data": _DATA,
}

OUTBOUND: dict[str, Any] = {
    "version": 2,
    "event": "message.outbound",
    "event_uuid": "00000000-0000-4000-8000-0000000000f0",
    "timestamp": 1790000100.0,
    "data": _DATA
    | {
        "direction": "Outbound",
        "type": "Message",
        "from_phone": "390000000099",
        "to_phone": "+390000000001",
        "send_status": "Sent",
        "preview": {"body": "Benvenuto! Il check-in è dalle 15:00."},
        "text": "Benvenuto! Il check-in è dalle 15:00.",
        "metadata": {"correlation_id": "cmd-0001"},
        "template": None,
        "is_sent_from_ai": False,
        "sender_id": None,
        "sender_ref": None,
    },
}

TEMPLATE: dict[str, Any] = {
    "type": "Template",
    "phone": "+390000000001",
    "template": 7002,
    "language": "it",
    "custom_fields": {"FIRST_NAME": "Ospite", "CHECKIN_DATE": "2026-12-01"},
    "metadata": {"correlation_id": "cmd-0001"},
}

TEXT: dict[str, Any] = {
    "type": "Message",
    "content_type": "Text",
    "phone": "+390000000001",
    "text": "Il check-in è dalle 15:00.",
    "metadata": {"correlation_id": "cmd-0002"},
}

BUTTONS: dict[str, Any] = {
    "type": "Message",
    "content_type": "Interactive",
    "phone": "+390000000001",
    "text": "Serve altro?",
    "header": {"format": "TEXT", "text": "Wi-Fi"},
    "footer": {"text": "Casa Prova"},
    "buttons": [
        {"button_type": "quick_reply", "text": "La password", "order": 0, "payload": "wifi"},
        {"button_type": "quick_reply", "text": "No, grazie", "order": 1, "payload": "no"},
    ],
}

LIST: dict[str, Any] = {
    "type": "Message",
    "content_type": "List",
    "phone": "+390000000001",
    "text": "Di che cosa ha bisogno?",
    "list": {
        "title": "Scegli",
        "sections": [
            {
                "title": "Casa",
                "rows": [{"title": "Wi-Fi", "description": "La password", "payload": "wifi"}],
            }
        ],
    },
}

MEDIA: dict[str, Any] = {
    "type": "Message",
    "content_type": "Document",
    "phone": "+390000000001",
    "media": {"url": "https://files.example.invalid/regole.pdf", "filename": "regole.pdf"},
}

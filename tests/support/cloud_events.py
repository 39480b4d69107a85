"""The Cloud API's webhooks, signed; with invented guests."""

from typing import Any
from uuid import uuid4

from app.providers import whatsapp_cloud_signature
from app.providers.whatsapp_cloud_statuses import CALLBACK_DATA
from tests.support.events import GUEST, HOTEL

APP_SECRET = "invented-app-secret"
VERIFY_TOKEN = "invented-verify-token"
PHONE_NUMBER_ID = "100000000000001"


def cloud_message(phone: str = GUEST, kind: str = "text", **content: Any) -> dict[str, Any]:
    """A guest's message, as it stands in ``messages``."""
    wa_id = phone.removeprefix("+")
    message_id = f"wamid.{uuid4().hex}"
    return {"from": wa_id, "id": message_id, "timestamp": "1790000000", "type": kind} | content


def cloud_text(text: str, /, phone: str = GUEST) -> dict[str, Any]:
    """A webhook with one text message."""
    return cloud_webhook(messages=[cloud_message(phone, text={"body": text})])


def cloud_status(state: str, message_id: str, key: str | None) -> dict[str, Any]:
    """A webhook with one status of a message of ours."""
    status = {
        "id": message_id,
        "status": state,
        "timestamp": "1790000100",
        "recipient_id": GUEST.removeprefix("+"),
    }
    return cloud_webhook(statuses=[status | ({CALLBACK_DATA: key} if key else {})])


def cloud_webhook(**content: Any) -> dict[str, Any]:
    """A webhook with one change, that has ``messages`` or ``statuses``."""
    metadata = {"display_phone_number": HOTEL, "phone_number_id": PHONE_NUMBER_ID}
    value = {"messaging_product": "whatsapp", "metadata": metadata} | content
    entry = {"id": "200000000000002", "changes": [{"field": "messages", "value": value}]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


def cloud_signed(body: bytes, secret: str = APP_SECRET) -> dict[str, str]:
    """The headers of a webhook."""
    return {
        "Content-Type": "application/json",
        whatsapp_cloud_signature.HEADER: whatsapp_cloud_signature.sign(secret, body),
    }

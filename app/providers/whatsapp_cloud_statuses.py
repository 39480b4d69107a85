"""How far a message of ours got, as the Cloud API reports it."""

from typing import Any

from app.messages.events import Content, Delivery, StatusReport, Unhandled

# Where a send carries our idempotency key; its statuses have it as well.
CALLBACK_DATA = "biz_opaque_callback_data"
_DELIVERIES = {
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "read": Delivery.READ,
    "played": Delivery.READ,  # of a voice message
    "failed": Delivery.FAILED,
}


def status_report(status: dict[str, Any]) -> Content:
    """``{id, status, timestamp, recipient_id, biz_opaque_callback_data, errors}`` in our words."""
    match status:
        case {"id": str(message_id), "status": str(state)} if message_id:
            delivery = _DELIVERIES.get(state)
        case _:
            return Unhandled("the status has no id or says nothing")
    if delivery is None:
        return Unhandled("nothing is done about this status")
    key = status.get(CALLBACK_DATA)
    return StatusReport(
        provider_id=message_id,
        idempotency_key=key if isinstance(key, str) and key else None,
        delivery=delivery,
        reason=_reason(status.get("errors")),
    )


def _reason(errors: object) -> str | None:
    """Code and title of the first error; its details may name the guest."""
    match errors:
        case [{"code": int(code), "title": str(title)}, *_]:
            return f"{code} {title}"
        case [{"code": int(code)}, *_]:
            return str(code)
    return None

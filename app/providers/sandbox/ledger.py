"""What guests wrote and what came back, in few words: for whoever counts after a failure.

Times are milliseconds since the epoch, as in `app.providers.sandbox.state`.
"""

import json
from typing import Any

from app.providers.sandbox.state import Message, SendCall, State, now_ms


def ledger(state: State, since: float) -> dict[str, Any]:
    """What guests wrote, and the sends that were accepted, from ``since`` on; oldest first.

    ``now``: this machine's clock, for whoever has another one.
    """
    written = [
        _written(message)
        for message in state.messages()
        if message.direction == "Inbound" and message.created_at >= since
    ]
    handed = [_handed(call) for call in state.sends if call.accepted and call.received_at >= since]
    return {"now": now_ms(), "written": written, "handed": handed}


def _written(message: Message) -> dict[str, Any]:
    """A guest's message; ``accepted_at``: when its webhook was answered with 2xx."""
    report = message.reports[0]
    return {
        "uuid": message.uuid,
        "written_at": message.created_at,
        "accepted_at": report.answered_at,
        "state": report.state,
        "attempts": report.attempts,
    }


def _handed(call: SendCall) -> dict[str, Any]:
    """A send; ``source``: the address that it came from, which says what machine made it."""
    metadata = json.loads(call.raw).get("metadata") or {}
    return {
        "correlation_id": metadata.get("correlation_id"),
        "received_at": call.received_at,
        "source": call.source,
        "message_uuid": call.message_uuid,
    }

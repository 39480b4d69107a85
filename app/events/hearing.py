"""From what changes at the desk to what the cloud is told of it.

Each function is called in the transaction of the change and does nothing where there is no cloud.
"""

from collections.abc import Mapping
from typing import Any, Final

from app.conversation.turn import Reply
from app.events.outgoing import Events
from app.guests.history import Entry
from app.messages.conversations import Moved
from app.messages.events import InboundMessage
from app.messages.inbox import InboxRow
from app.store.database import Connection

# By the state that an outbox row reached; the others are nobody's business.
_MESSAGES: Final = {
    state: f"message.{state}" for state in ("sent", "delivered", "read", "failed", "refused")
}
_TOLD_OF_MESSAGE: Final = (
    *("kind", "template", "sent_as", "language", "purpose", "country", "rule"),
)
_REQUESTS: Final = {
    "request_open": "request.made",
    "request_done": "request.closed",
    "request_refused": "request.closed",
    "request_offered": "offer.made",
    "request_accepted": "offer.accepted",
    "request_declined": "offer.declined",
    "request_expired": "offer.expired",
}


def tell_turn(
    events: Events, connection: Connection, row: InboxRow, message: InboundMessage, reply: Reply
) -> None:
    """A guest's message was answered, or is left unanswered; ``row`` is the first it came in."""
    if not events.enabled:
        return
    received = {
        "inbox_id": row.row_id,
        "received_at": row.received_at,
        "media": message.media,
    }
    events.record(connection, "message.received", received, row.guest)
    answered = {
        "inbox_id": row.row_id,
        "intents": reply.intents,
        "score": reply.score,
        "language": reply.language,
        "agent": reply.agent,
        "silent": not reply.text,
    }
    events.record(connection, "message.answered", answered, row.guest)


def tell_message(events: Events, connection: Connection, outbox_id: int) -> None:
    """A message of ours perhaps reached another state; each state is told once for each sending."""
    if not events.enabled:
        return
    (row,) = connection.execute(_MESSAGE, {"id": outbox_id}).fetchall()
    name = _MESSAGES.get(row["state"])
    # What goes to the desk's own phones is no guest's.
    if name is None or row["kind"] == "desk":
        return
    payload = {key: row[key] for key in _TOLD_OF_MESSAGE}
    # Not the row's id: after a restore another message may have it.
    event_id = f"{name}:{row['idempotency_key']}:{row['attempts']}"
    events.record(connection, name, {"outbox_id": outbox_id, **payload}, row["guest"], event_id)


def tell_conversation(events: Events, connection: Connection, moved: Moved) -> None:
    """A conversation went to a person, or back to the bot."""
    if moved.to_person:
        payload = {"reason": moved.reason}
        events.record(connection, "conversation.handed_over", payload, moved.guest)
    else:
        events.record(connection, "conversation.given_back", {}, moved.guest)


def tell_history(events: Events, connection: Connection, entry: Entry) -> None:
    """A guest, a booking or a request changed."""
    if not events.enabled:
        return
    subject = entry.event.partition("_")[0]
    if subject == "guest":
        _tell_guest(events, connection, entry)
    elif subject == "booking":
        _tell_booking(events, connection, entry)
    elif subject == "request":
        _tell_request(events, connection, entry)


def tell_erasure(events: Events, connection: Connection, guest: bytes) -> None:
    """What was held about a guest was erased."""
    events.record(connection, "guest.erased", {}, guest)


def _tell_guest(events: Events, connection: Connection, entry: Entry) -> None:
    name = "guest.created" if entry.event == "guest_created" else "guest.changed"
    known = _row(connection, _GUEST, {"guest": entry.guest})
    events.record(connection, name, {"changed": _changed(entry), **known}, entry.guest)


def _tell_booking(events: Events, connection: Connection, entry: Entry) -> None:
    name = "stay.ended" if entry.event == "booking_ended" else "booking.changed"
    known = _row(connection, _BOOKING, {"id": entry.booking_id})
    events.record(connection, name, {"changed": _changed(entry), **known}, entry.guest)


def _tell_request(events: Events, connection: Connection, entry: Entry) -> None:
    name = _REQUESTS[entry.event]
    known = _row(connection, _REQUEST, {"id": entry.request_id})
    state = known.pop("state")
    outcome = {"outcome": state} if name == "request.closed" else {}
    events.record(connection, name, {**known, **outcome}, entry.guest)


def _row(connection: Connection, sql: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    (row,) = connection.execute(sql, parameters).fetchall()
    return dict(row)


def _changed(entry: Entry) -> list[str]:
    return sorted(entry.changes or ())


_MESSAGE = """
SELECT idempotency_key, guest, state, attempts,
       kind, template, sent_as, language, purpose, country, rule
FROM outbox WHERE id = :id
"""

_GUEST = "SELECT language, time_zone, consent FROM guests WHERE guest = :guest"

_BOOKING = """
SELECT id AS booking_id, channel, code, status, unit, arrival, departure, party, flight_number
FROM bookings WHERE id = :id
"""

_REQUEST = """
SELECT id AS request_id, kind, booking_id, price, currency, state FROM requests WHERE id = :id
"""

"""The webhooks of WhatsApp's Cloud API, taken apart.

``{object, entry: [{id, changes: [{field, value}]}]}``: one POST may hold several entries, changes,
messages and statuses. Each message and each status becomes an event of its own, kept as the same
envelope narrowed to it. Duplicates and reordering happen, so ids are those of the message, or of
the message and its status; what has no id is known by its digest. Facts from Meta's reference of
the Cloud API's webhooks.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from app.messages.events import Content, Event, Unhandled
from app.providers.incoming import EnvelopeError, Kept
from app.providers.whatsapp_cloud_messages import Json, inbound, of_sender
from app.providers.whatsapp_cloud_statuses import status_report

SOURCE = "whatsapp_cloud"
OBJECT = "whatsapp_business_account"
MESSAGES = "messages"
STATUSES = "statuses"
# Ids of messages (``wamid.…``) have some 60 characters; longer than this is something else.
LONGEST_ID = 256
LONGEST_NAME = 100


def read(body: bytes) -> list[Kept]:
    """Every event of a webhook. Raises :class:`EnvelopeError`; nothing below ``entry`` does."""
    try:
        envelope = from_json(body)
    except ValueError as error:
        raise EnvelopeError(f"body: {error}") from None
    match envelope:
        case {"object": "whatsapp_business_account", "entry": list(entries)}:
            return [kept for entry in entries for kept in _of_entry(entry)]
    raise EnvelopeError(f"it has no object {OBJECT} with a list called entry")


def parse(body: bytes) -> Event:
    """Read the body of one event, as :func:`read` made it. Raises :class:`EnvelopeError`."""
    events = read(body)
    if len(events) != 1:
        raise EnvelopeError(f"it holds {len(events)} events in place of one")
    return events[0].event


def _of_entry(entry: Any) -> Iterator[Kept]:
    match entry:
        case {"changes": [_, *_] as changes}:
            for change in changes:
                yield from _of_change(entry, change)
        case _:
            yield _kept(entry, None, "entry", Unhandled("the entry has no changes"))


def _of_change(entry: Json, change: Any) -> Iterator[Kept]:
    match change:
        case {"field": "messages", "value": {"messages": [_, *_]} | {"statuses": [_, *_]} as value}:
            yield from _of_value(entry, change, value)
        case {"field": "messages"}:
            content = Unhandled("it holds no message and no status")
            yield _kept(_narrow(entry, change), None, MESSAGES, content)
        case {"field": str(name)}:
            content = Unhandled("nothing is done about this kind of event")
            yield _kept(_narrow(entry, change), None, name, content)
        case _:
            content = Unhandled("the change has no field")
            yield _kept(_narrow(entry, change), None, "change", content)


def _of_value(entry: Json, change: Json, value: Json) -> Iterator[Kept]:
    frame = {key: value[key] for key in ("messaging_product", "metadata") if key in value}
    for message in _list(value.get(MESSAGES)):
        contacts = of_sender(value.get("contacts"), message)
        alone = frame | {"contacts": contacts, MESSAGES: [message]}
        narrowed = _narrow(entry, change | {"value": alone})
        if isinstance(message, dict):
            content = inbound(message, contacts)
            yield _kept(narrowed, message.get("id"), MESSAGES, content)
        else:
            yield _kept(narrowed, None, MESSAGES, Unhandled("the message is no object"))
    for status in _list(value.get(STATUSES)):
        narrowed = _narrow(entry, change | {"value": frame | {STATUSES: [status]}})
        if isinstance(status, dict):
            yield _kept(narrowed, _status_id(status), STATUSES, status_report(status))
        else:
            yield _kept(narrowed, None, STATUSES, Unhandled("the status is no object"))


def _status_id(status: Json) -> str | None:
    """A message has the same id in all of its statuses."""
    match status:
        case {"id": str(message_id), "status": str(state)} if message_id:
            return f"{message_id}:{state}"
    return None


def _narrow(entry: Json, change: object) -> Json:
    return entry | {"changes": [change]}


def _kept(entry: object, event_id: object, name: str, content: Content) -> Kept:
    body = json.dumps(
        {"object": OBJECT, "entry": [entry]}, ensure_ascii=False, separators=(",", ":")
    ).encode()
    if not isinstance(event_id, str) or not 0 < len(event_id) <= LONGEST_ID:
        event_id = f"sha256:{hashlib.sha256(body).hexdigest()}"
    return Kept(Event(SOURCE, event_id, name[:LONGEST_NAME], content), body)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

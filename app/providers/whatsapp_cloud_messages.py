"""A guest's message, as the Cloud API has it, in our words."""

from typing import Any, TypeAlias

from app.messages.events import Content, InboundMessage, Unhandled
from app.providers.phones import e164

Json: TypeAlias = dict[str, Any]

_FILES = frozenset({"image", "audio", "video", "document", "sticker"})
# They say something about a conversation and are no part of it.
_ASKS_NOTHING = frozenset({"reaction", "system", "request_welcome"})


def inbound(message: Json, contacts: object) -> Content:
    """``{from, id, type, <type>: {…}}`` with the ``contacts`` of the same webhook.

    What can't be read (a location, a kind that is new) becomes ``media``: the guest sent something
    and waits for a word about it.
    """
    match message:
        case {"id": str(message_id), "from": str(sender), "type": str(kind)} if message_id:
            phone = e164(sender)
        case _:
            return Unhandled("the message has no id, sender or type")
    if phone is None:
        return Unhandled("the sender is not a phone number")
    if kind in _ASKS_NOTHING:
        return Unhandled("this kind of message asks for no answer")
    text, choice_id, media = _said(message, kind)
    return InboundMessage(message_id, phone, text, choice_id, media, profile_name(contacts))


def of_sender(contacts: object, message: object) -> list[Json]:
    """The contacts that ``message`` is from: profile names stand beside the messages."""
    if not isinstance(contacts, list) or not isinstance(message, dict):
        return []
    known = [contact for contact in contacts if isinstance(contact, dict)]
    return [contact for contact in known if contact.get("wa_id") == message.get("from")]


def profile_name(contacts: object) -> str | None:
    """What the guest calls themselves on WhatsApp."""
    match contacts:
        case [{"profile": {"name": str(name)}}, *_]:
            return name.strip() or None
    return None


def _said(message: Json, kind: str) -> tuple[str, str | None, tuple[str, ...]]:
    """Text, choice and media."""
    match message:
        case {"type": "text", "text": {"body": str(text)}}:
            return text, None, ()
        # Which of the two it was is said by `type` as well, but only one of them is there.
        case {
            "type": "interactive",
            "interactive": (
                {"button_reply": {"id": str(choice_id), "title": str(title)}}
                | {"list_reply": {"id": str(choice_id), "title": str(title)}}
            ),
        }:
            return title, choice_id or None, ()
        case {"type": "button", "button": {"text": str(title), **rest}}:
            payload = rest.get("payload")
            return title, payload if isinstance(payload, str) and payload else None, ()
    content = message.get(kind)
    caption = content.get("caption") if kind in _FILES and isinstance(content, dict) else None
    return caption if isinstance(caption, str) else "", None, (kind,)

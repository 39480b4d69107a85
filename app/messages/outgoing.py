"""What can be sent to a guest, whatever the provider makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from pydantic import TypeAdapter


class Kind(StrEnum):
    """Why a message is sent; the rules of sending go by it."""

    REPLY = "reply"  # the bot answers what a guest wrote
    CONFIRMATION = "confirmation"  # of an opt-out: the one message that goes to who wants no more
    EMERGENCY = "emergency"
    PERSON = "person"  # somebody at the desk wrote it
    NOTICE = "notice"  # the system speaks by itself
    DESK = "desk"  # to the desk's own phone


class Lane(StrEnum):
    """Messages to a guest keep their order within a lane, and never wait for another lane."""

    URGENT = "urgent"
    TALK = "talk"
    NOTICE = "notice"


LANES: Mapping[Kind, Lane] = {
    Kind.REPLY: Lane.TALK,
    Kind.CONFIRMATION: Lane.TALK,
    Kind.EMERGENCY: Lane.URGENT,
    Kind.PERSON: Lane.TALK,
    Kind.NOTICE: Lane.NOTICE,
    Kind.DESK: Lane.URGENT,
}


@dataclass(frozen=True)
class Choice:
    """Something a guest may tap instead of typing. ``choice_id`` comes back when they do."""

    choice_id: str
    title: str  # 20 characters at most: what WhatsApp shows on a button


@dataclass(frozen=True)
class Text:
    """Free text; up to ten choices (buttons, or a list where a provider has no room for them)."""

    text: str
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class Template:
    """A message of `app.messages.templates`, by name.

    ``text`` is what it says in full; within the 24-hour window it may go as free text.
    """

    name: str
    language: str
    variables: Mapping[str, str] = field(hash=False)
    text: str


Outgoing: TypeAlias = Text | Template

_TEXT = TypeAdapter(Text)
_TEMPLATE = TypeAdapter(Template)


def encode(message: Outgoing) -> str:
    """The message as JSON, to be sealed."""
    if isinstance(message, Template):
        return _TEMPLATE.dump_json(message).decode()
    return _TEXT.dump_json(message).decode()


def decode_text(encoded: str) -> Text:
    """What :func:`encode` made of a text."""
    return _TEXT.validate_json(encoded)


def decode_template(encoded: str) -> Template:
    """What :func:`encode` made of a template."""
    return _TEMPLATE.validate_json(encoded)

"""Reading what is asked for: the same at the door and when the node pulls."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from app.commands.fields import Key, Payload
from app.commands.registry import COMMANDS, CommandName

# Of a body, as the gate before the API has it too: a batch of a hundred long texts.
LARGEST_COMMAND = 1_000_000


class Asked(BaseModel):
    """A command that somebody wants carried out. ``command_id`` is theirs, or made here."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    id: Key | None = Field(None, description="Of the one who asks; made here where it is left out.")
    name: CommandName
    payload: Payload


def _model(name: CommandName, schema: type[Payload]) -> type[Asked]:
    only: Any = Literal[name.value]
    return create_model(
        "".join(part.title() for part in name.split("_")) + "Command",
        __base__=Asked,
        __doc__=schema.__doc__,
        name=(only, ...),
        payload=(schema, ...),
    )


MODELS = tuple(_model(name, command.schema) for name, command in COMMANDS.items())
"""One for each command: for the API's document too."""
AnyCommand: Any = Annotated[Union[MODELS], Field(discriminator="name")]  # noqa: UP007 - a tuple


@cache
def _adapter() -> TypeAdapter[Asked]:
    return TypeAdapter(AnyCommand)


def read(body: bytes | str) -> Asked:
    """What is asked for, checked. Raises pydantic.ValidationError, which quotes no input."""
    return _adapter().validate_json(body)


def payload_of(name: str, stored: str) -> Payload:
    """A payload as it was stored. Raises pydantic.ValidationError, KeyError for another name."""
    return COMMANDS[CommandName(name)].schema.model_validate_json(stored)


@dataclass(frozen=True)
class Subjects:
    """Whom and which bookings a command is about: its order is kept for each."""

    phones: frozenset[str]
    guests: frozenset[bytes]
    bookings: frozenset[tuple[str, str]]


def subjects_of(payload: Payload) -> Subjects:
    """Read from the schema's own names: phone, guest, messages, channel and code."""
    parts: list[Any] = [payload, *getattr(payload, "messages", ())]
    parts += [booking for part in parts if (booking := getattr(part, "booking", None)) is not None]
    phones = {phone for part in parts if (phone := getattr(part, "phone", None)) is not None}
    guests = {guest for part in parts if (guest := getattr(part, "guest", None)) is not None}
    bookings = {(part.channel, part.code) for part in parts if hasattr(part, "channel")}
    return Subjects(frozenset(phones), frozenset(map(bytes.fromhex, guests)), frozenset(bookings))


def canonical(asked: Asked) -> str:
    """The same text for the same content, in whatever order it was written."""
    content = {"name": asked.name, "payload": asked.payload.model_dump(mode="json")}
    return json.dumps(content, sort_keys=True, separators=(",", ":"))

"""What a door has verified, as the spools keep it and the two nodes hand it to each other.

A webhook's own signature is good for some minutes only: it was checked at the door that took it,
and what the nodes say to each other is signed by them.
"""

import hashlib
import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final, Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from app.commands.asked import Asked, canonical
from app.commands.store import Sender
from app.providers.incoming import Kept
from app.settings import ProviderName

# Of bodies in one request: within what the gate takes, whatever is escaped in them.
MOST_IN_ONE: Final = 1_000_000
MANY: Final = 256


class Kind(StrEnum):
    """What was taken."""

    WEBHOOK = "webhook"
    COMMAND = "command"


class Entry(BaseModel):
    """One request to a door, with all that accepting it again needs.

    ``source``: the provider of a webhook, the client of a command. ``names``: what the desk's
    tables know it by: (source, event id) of each event, or (client, idempotency key, command id).
    ``content``: a digest that tells a command from another under the same key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: Kind
    source: str
    body: str
    names: tuple[tuple[str, ...], ...]
    idempotency_key: str = ""
    command_id: str = ""
    content: str = ""
    request_id: str | None = None

    @property
    def key(self) -> str:
        """The same for the same request, however often it comes."""
        if self.kind is Kind.COMMAND:
            return json.dumps([self.source, self.idempotency_key])
        return f"{self.source}:{hashlib.sha256(self.body.encode()).hexdigest()}"

    @classmethod
    def of_webhook(cls, provider: ProviderName, body: bytes, events: Sequence[Kept]) -> Self:
        """A webhook whose signature was right, with the events that were read in it."""
        names = tuple((kept.event.source, kept.event.event_id) for kept in events)
        return cls(kind=Kind.WEBHOOK, source=provider, body=body.decode(), names=names)

    @classmethod
    def of_command(cls, body: bytes, asked: Asked, sender: Sender) -> Self:
        """A command; it gets its id here if it has none, so that all who keep it call it alike."""
        command_id = asked.id or uuid4().hex
        return cls(
            kind=Kind.COMMAND,
            source=sender.client,
            body=body.decode(),
            names=((sender.client, sender.idempotency_key, command_id),),
            idempotency_key=sender.idempotency_key,
            command_id=command_id,
            content=hashlib.sha256(canonical(asked).encode()).hexdigest(),
            request_id=sender.request_id,
        )


class Batch(BaseModel):
    """Entries in the order in which they came; ``term`` is the one that the sender knows.

    ``in_doubt``: the places of those that a leader of an earlier term may have acted on. They wait
    for an echo of that.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    term: Annotated[int, Field(ge=0, lt=2**53)]
    entries: tuple[Entry, ...] = Field(max_length=MANY)
    in_doubt: tuple[int, ...] = ()


class Fate(StrEnum):
    """What became of an entry: ``refused`` can't be read by the release that runs there."""

    KEPT = "kept"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REFUSED = "refused"


class Told(BaseModel):
    """The leader's word on one entry; a command's id and state are those in its table."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    fate: Fate
    command_id: str = ""
    state: str = ""


class Answered(BaseModel):
    """The leader's answer to a batch, entry by entry."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    told: tuple[Told, ...]

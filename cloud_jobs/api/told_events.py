"""Reading what a client tells: which of its events can be taken, and why the others can't.

Which names a client may tell: the node's own are the desk's, and nobody else's; the jobs' own
(``reservation.told`` …) are nobody's who calls, or a caller could make guests; a tool may tell what
begins with ``custom.``, and want what `cloud_jobs.known.wanted` has.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.web.written import Moment
from cloud_jobs.known import told, wanted
from cloud_jobs.runtime.events import Event

MOST: Final = 100
# With the client's name before it, it must fit into its column.
LONGEST_ID: Final = 150
# By how much a clock may be ahead that tells: its requests would be refused anyway.
_AHEAD: Final = timedelta(days=1)
_CUSTOM: Final = re.compile(r"custom\.[a-z0-9_]+(\.[a-z0-9_]+)*")


class RejectedError(Exception):
    """The event will never be taken; the message says why, without what was told."""


class Item(BaseModel):
    """One event; what else it must have, docs/cloud-api.md says. Without an id it is none."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    event_id: str = Field(pattern=rf"^[\x21-\x7e]{{1,{LONGEST_ID}}}$")


class Batch(BaseModel):
    """Up to 100 events, of a guest in the order in which they happened."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    events: list[Item] = Field(min_length=1, max_length=MOST)


class Rejected(BaseModel):
    """An event that will never be taken: correct it, or don't tell it again."""

    event_id: str
    reason: str


class Answer(BaseModel):
    """Each event is in one of the two. What was taken before is accepted."""

    accepted: list[str]
    rejected: list[Rejected]


class _Wire(BaseModel):
    """An event as docs/events.md has it on the wire."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    event_id: str
    name: str = Field(max_length=100)
    guest: wanted.Guest | None
    occurred_at: Moment
    payload: dict[str, Any]


@dataclass(frozen=True)
class Reading:
    """What of a batch can be taken, and what can't, by the ids that the client gave."""

    events: dict[str, Event]
    rejected: dict[str, str]

    def answer(self) -> Answer:
        """For when the events have been taken."""
        return Answer(
            accepted=list(self.events),
            rejected=[Rejected(event_id=one, reason=why) for one, why in self.rejected.items()],
        )


def read(items: Iterable[Item], client: str, node: str, now: datetime) -> Reading:
    """What ``client`` tells; ``node`` is the client that is the desk. Of an id the first counts."""
    reading = Reading({}, {})
    for item in items:
        if item.event_id in reading.events or item.event_id in reading.rejected:
            continue
        try:
            reading.events[item.event_id] = _event(item, client, node, now)
        except RejectedError as error:
            reading.rejected[item.event_id] = str(error)
    return reading


def _event(item: Item, client: str, node: str, now: datetime) -> Event:
    try:
        wire = _Wire.model_validate(item.model_dump())
        model = _model(wire, is_node=client == node)
        if model is not None:
            model.model_validate(wire.payload)
    except ValidationError as error:
        raise RejectedError(_explained(error)) from None
    if wire.occurred_at > now + _AHEAD:
        raise RejectedError("occurred_at is in the future: set the clock")
    return Event(
        # Each client has names of its own: none may pass for another's event, or for the desk's.
        # What the desk passes on of its tools has a colon there, so they can't meet either.
        event_id=wire.event_id if client == node else f"{client}/{wire.event_id}",
        name=wire.name,
        source=client,
        occurred_at=wire.occurred_at,
        payload=wire.payload,
        guest=wire.guest,
    )


def _model(wire: _Wire, *, is_node: bool) -> type[told.Told] | None:
    """What reads its payload: None for any object."""
    if wire.name.startswith(told.CUSTOM):
        if _CUSTOM.fullmatch(wire.name) is None:
            raise RejectedError("name: after custom. come a-z, 0-9, _ and points")
        return None
    if (model := wanted.BY_NAME.get(wire.name)) is not None:
        if wire.name in wanted.OF_A_GUEST and wire.guest is None:
            raise RejectedError("guest: say who it is for")
        return model
    if wire.name not in told.BY_NAME:
        raise RejectedError("name: there is no such event")
    if not is_node:
        raise RejectedError("name: only the desk may tell this")
    return told.BY_NAME[wire.name]


def _explained(error: ValidationError) -> str:
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found[:5])

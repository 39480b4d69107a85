"""What the nodes say to each other at ``/api/ha/handover``."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from app.commands.handed_over import Command
from app.guests.handed_over import BookingRow, GuestRow, RequestState
from app.messages.handed_over import Held, InboxEvent, Message, SendOutcome, ToldEvent
from app.store.handed import Handed, Verdict

PATH: Final = "/api/ha/handover"
# Rows of one request: the leader holds its write lock for some 20 ms.
LARGEST_BATCH: Final = 100


class Beginning(BaseModel):
    """What the leader began with: :class:`app.ha.handing_over.Since`, in which term it leads."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    term: int
    beat: int = 0
    beat_at: int = 0
    ids: dict[str, int] = Field(default_factory=dict)


class Batch(Handed):
    """Rows for the leader in ``to_term``; of one kind, as they are sent."""

    to_term: int
    outcomes: tuple[SendOutcome, ...] = ()
    reports: tuple[InboxEvent, ...] = ()
    messages: tuple[InboxEvent, ...] = ()
    commands: tuple[Command, ...] = ()
    written: tuple[Message, ...] = ()
    guests: tuple[GuestRow, ...] = ()
    bookings: tuple[BookingRow, ...] = ()
    requests: tuple[RequestState, ...] = ()
    held: tuple[Held, ...] = ()
    told: tuple[ToldEvent, ...] = ()


class Counts(BaseModel):
    """How many of a batch were what, by :class:`app.store.handed.Verdict`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    counts: dict[Verdict, int]

"""What a handler is given to work with, and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from app.commands.fields import Payload
from app.conversation.property import Property
from app.events.outgoing import Events
from app.guests.bookings import Bookings
from app.guests.guests import Guests
from app.guests.requests import Requests
from app.messages.alerts import Alerts
from app.messages.catalogue import Catalogue
from app.messages.outbox import Outbox
from app.sealing import Seal
from app.store.database import Database


class Office(Protocol):
    """The part of :class:`app.work.desk.Desk` that commands need."""

    @property
    def database(self) -> Database: ...

    @property
    def seal(self) -> Seal: ...

    @property
    def outbox(self) -> Outbox: ...

    @property
    def guests(self) -> Guests: ...

    @property
    def bookings(self) -> Bookings: ...

    @property
    def requests(self) -> Requests: ...

    @property
    def alerts(self) -> Alerts: ...

    @property
    def events(self) -> Events: ...

    @property
    def catalogue(self) -> Catalogue: ...

    @property
    def facts(self) -> Property: ...


@dataclass(frozen=True)
class Order:
    """Which command is carried out, and for which client of the API."""

    command_id: str
    client: str


@dataclass(frozen=True)
class Done:
    """What came of it: ``result`` goes back to who asked; ``outbox`` are rows to be sent."""

    result: Mapping[str, Any] = field(default_factory=dict)
    outbox: tuple[int, ...] = ()


class RefusedError(Exception):
    """It can't be done and trying again wouldn't help; ``code`` is stable, ``detail`` for people.

    Neither holds a guest's data: both are kept in the open.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


P = TypeVar("P", bound=Payload)
Handler = Callable[[Office, Any, Order, P], Done]

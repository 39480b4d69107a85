"""What the cloud may know of the desk: stays, what is open; and that the queue be filled anew."""

from datetime import date, datetime, timedelta
from functools import cache
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import redis
import structlog
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from app.commands.fields import FlightNumber
from app.conversation import property as facts
from app.guests.active import ActiveStay, by_flight, staying
from app.settings import Settings
from app.store.database import Database
from app.web.clients import Caller, Scope, caller
from app.web.limits import limited
from app.web.problems import ProblemError, documented
from app.web.written import Day
from app.work.broker import DeskBroker
from app.work.open_rows import open_rows, queue_all

log = structlog.get_logger()
# What a planner looks ahead.
_DAYS: Final = 7
_PAGE: Final = 100
# It reads every open row; who presses again at once gets nothing more done.
_SYNCS_PER_MINUTE: Final = 6
_MayReadGuests = Annotated[Caller, Depends(caller(Scope.GUESTS))]
_MayReadJobs = Annotated[Caller, Depends(caller(Scope.JOBS))]
_MaySync = Annotated[Caller, Depends(caller(Scope.QUEUES))]


class Stay(BaseModel):
    """A stay and the blind index of its guest: no phone, no name."""

    booking_id: int
    channel: str
    code: str
    guest: str | None = Field(description="Hex; as it stands beside events.")
    language: str | None
    unit: str | None
    arrival: date
    departure: date | None
    party: int | None
    flight_number: str | None
    status: str


class Stays(BaseModel):
    """One page; ``next`` is the ``after`` of the following one."""

    stays: list[Stay]
    next: int | None


class Flight(BaseModel):
    """A flight of one day."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    flight_number: FlightNumber
    date: Day


class Waiting(BaseModel):
    """Open rows of one queue in one state."""

    queue: str
    state: str
    rows: int
    oldest_seconds: float


class Jobs(BaseModel):
    """All that is open."""

    open: list[Waiting]


class Sync(BaseModel):
    """What a sync has done."""

    sent: int = Field(description="Rows that were put on the queue.")
    replica_acknowledged: bool = Field(description="The standby's Redis has them too.")


def desk_routes(settings: Settings, database: Database, broker: DeskBroker) -> APIRouter:
    """The routes that read, and the one that fills the queue."""
    router = APIRouter(tags=["desk"])

    @cache
    def zone() -> ZoneInfo:
        # Only here: a gateway must take webhooks, whatever became of the property's facts.
        return facts.load(settings.property_file).time_zone

    @router.get(
        "/api/guests/active",
        summary="Stays in the house and arriving",
        responses=documented(),
    )
    def active(
        _who: _MayReadGuests,
        days: Annotated[int, Query(ge=0, le=60, description="How far ahead.")] = _DAYS,
        after: Annotated[int, Query(ge=0, le=2**62)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = _PAGE,
    ) -> Stays:
        try:
            today = datetime.now(zone()).date()
        except facts.PropertyError as error:
            log.error("facts_unreadable", reason=str(error))
            raise ProblemError(
                503, "facts-unreadable", "property.yml can't be used: see `portiere check`."
            ) from None
        found = staying(database, today, today + timedelta(days=days), after, limit)
        following = found[-1].booking_id if len(found) == limit else None
        return Stays(stays=[_stay(one) for one in found], next=following)

    @router.post(
        "/api/guests/by-flight", summary="Stays of those who come by it", responses=documented()
    )
    def arriving(flight: Flight, _who: _MayReadGuests) -> Stays:
        found = by_flight(database, flight.flight_number, flight.date)
        return Stays(stays=[_stay(one) for one in found], next=None)

    @router.get("/api/jobs/active", summary="What is open", responses=documented())
    def jobs(_who: _MayReadJobs) -> Jobs:
        return Jobs(open=[Waiting(**vars(one)) for one in open_rows(database)])

    @router.post(
        "/api/sync/queue",
        summary="Put every open row on the queue, to the standby too",
        responses=documented(),
        dependencies=[Depends(limited("sync", _SYNCS_PER_MINUTE))],
    )
    def sync(_who: _MaySync) -> Sync:
        try:
            done = queue_all(database, broker)
        except redis.RedisError as error:
            raise ProblemError(
                503,
                "queue-unreachable",
                f"Redis can't be reached ({type(error).__name__}); the rows are safe.",
                {"Retry-After": "5"},
            ) from None
        return Sync(sent=done.sent, replica_acknowledged=done.replicas > 0)

    return router


def _stay(found: ActiveStay) -> Stay:
    guest = None if found.guest is None else found.guest.hex()
    return Stay(**{**vars(found), "guest": guest})

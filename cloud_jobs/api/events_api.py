"""``POST /api/events``: what the desk tells, and what a tool tells or wants."""

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy.exc import DataError

from app.web.clients import Caller, Scope, caller
from app.web.problems import ProblemError, documented
from cloud_jobs.api.parts import Parts, utc_now
from cloud_jobs.api.taking import take_told
from cloud_jobs.api.told_events import Answer, Batch, read

_MayTell = Annotated[Caller, Depends(caller(Scope.EVENTS))]


def event_routes(parts: Parts) -> APIRouter:
    """The route that events come in by."""
    router = APIRouter(tags=["events"])

    @router.post("/api/events", summary="Tell what happened", responses=documented())
    def tell(batch: Batch, who: _MayTell) -> Answer:
        now = utc_now()
        node = parts.settings.node
        # Both nodes tell out of one database: what one told, the other's copy of it is no other.
        teller = node if who.name in parts.settings.nodes else who.name
        reading = read(batch.events, teller, node, now)
        try:
            run_ids = take_told(parts, list(reading.events.values()), now)
        except DataError:
            # The desk halves the batch then, until the culprit is alone, and keeps it for a person.
            raise ProblemError(
                422, "events-unstorable", "The store can't hold one of them: tell them singly."
            ) from None
        parts.dispatch(run_ids)
        return reading.answer()

    return router

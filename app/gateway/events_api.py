"""``/api/events``: what tools at the property tell the cloud, kept with what the desk tells it."""

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from app.events.catalogue import NAME_PATTERN
from app.events.outgoing import Events
from app.messages import audit
from app.web.clients import Caller, Scope, caller
from app.web.problems import ProblemError, documented

_MayTell = Annotated[Caller, Depends(caller(Scope.EVENTS))]


class NewEvent(BaseModel):
    """An event of a tool's own."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    name: str = Field(pattern=NAME_PATTERN, max_length=100, description="custom.…")
    payload: dict[str, Any] = Field(description="No guest's phone or name: the cloud needs none.")
    id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._:-]{1,100}$",
        description="The tool's own: told again with the same id, it is the same event.",
    )


class KeptEvent(BaseModel):
    """The event is kept, and told to the cloud when it can be."""

    id: str
    duplicate: bool = Field(description="It was here already; what came first is told.")


def event_routes(events: Events) -> APIRouter:
    """The route by which tools tell the cloud something."""
    router = APIRouter(tags=["events"])

    @router.post(
        "/api/events",
        status_code=202,
        summary="Tell the cloud something",
        responses=documented(409),
    )
    def tell(told: NewEvent, who: _MayTell) -> KeptEvent:
        if not events.enabled:
            raise ProblemError(
                409, "no-cloud", "This desk has no cloud to tell: set PORTIERE_CLOUD_URL."
            )
        # Each client has names of its own: none may pass for another's, or for ours.
        event_id = f"{who.name}:{told.id or uuid4().hex}"
        with events.database.transaction() as connection:
            kept = events.record(connection, told.name, told.payload, event_id=event_id)
            if kept:
                audit.record(
                    connection,
                    actor=who.name,
                    action="event.accepted",
                    target=event_id,
                    request_id=who.request_id,
                    address=who.address,
                    detail={"name": told.name},
                )
        return KeptEvent(id=event_id, duplicate=kept is None)

    return router

"""``/api/commands``: what the desk fetches, and what it says came of it."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.requests import Request

from app.web.clients import Caller, Scope, caller
from app.web.problems import ProblemError, documented
from cloud_jobs.api.offering import Offering, Offers
from cloud_jobs.api.parts import Parts, utc_now
from cloud_jobs.exchange import commands
from cloud_jobs.exchange.commands import CommandState

_MayCommand = Annotated[Caller, Depends(caller(Scope.COMMANDS))]
_Wait = Annotated[
    int, Query(ge=0, le=25, description="Seconds to wait for something to be offered.")
]
_CommandId = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,100}$")]


class Result(BaseModel):
    """What came of a command, as the event ``command.finished`` has it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    state: Literal["done", "failed"]
    result: dict[str, JsonValue] | None = None
    error: JsonValue = Field(None, description="code and detail, if it failed.")


class Settled(BaseModel):
    """How far the command is now."""

    id: str
    state: CommandState
    duplicate: bool = Field(description="It was told before; what was told first counts.")


def command_routes(parts: Parts, offering: Offering) -> APIRouter:
    """The routes of the nodes that commands are for."""
    router = APIRouter(prefix="/api/commands", tags=["commands"])
    nodes = parts.settings.nodes

    def is_node(who: _MayCommand) -> Caller:
        if who.name not in nodes:
            raise ProblemError(
                403,
                "not-the-node",
                f"Commands are for {' and '.join(sorted(nodes))}: PORTIERE_NODE, "
                "PORTIERE_NODE_STANDBY.",
            )
        return who

    node_only: Any = Depends(is_node)

    @router.get("", summary="Fetch what the desk is to do", responses=documented())
    async def fetch(
        request: Request, _who: Annotated[Caller, node_only], wait: _Wait = 0
    ) -> Offers:
        return await offering.wait(timedelta(seconds=wait), request.is_disconnected)

    @router.post(
        "/{command_id}/result",
        summary="Say what came of it",
        responses=documented(404),
    )
    def settle(told: Result, command_id: _CommandId, _who: Annotated[Caller, node_only]) -> Settled:
        with parts.store.writing(durable=True) as session:
            is_new = commands.settle(
                session,
                parts.seal,
                command_id=command_id,
                state=CommandState(told.state),
                result=told.result,
                error=told.error,
                now=utc_now(),
            )
            state = commands.state_of(session, command_id)
        if state is None:
            raise ProblemError(404, "command-unknown", "No command has this id.")
        return Settled(id=command_id, state=state, duplicate=not is_new)

    return router

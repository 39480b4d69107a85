"""``/api/commands``: what the cloud asks of the desk, kept before it is answered."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import uuid4

import structlog
from fastapi import APIRouter, Depends, Header, Path
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from app.commands.asked import LARGEST_COMMAND, AnyCommand, read
from app.commands.store import CameBy, Commands, CommandState, Sender
from app.gateway.bodies import BodyTooLargeError, read_body
from app.gateway.clients import Caller, Scope, caller
from app.gateway.problems import ProblemError, documented
from app.store.database import DatabaseError
from app.store.group_commit import GroupCommit

log = structlog.get_logger()
# The body is read raw, by the models that read it when it is pulled: strictly, from JSON.
_IN_DOCUMENT: Final = (
    "#/paths/~1api~1commands/post/requestBody/content/application~1json/schema/$defs/{model}"
)
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": TypeAdapter(AnyCommand).json_schema(ref_template=_IN_DOCUMENT)
            }
        },
    }
}
_Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="The same key with the same content is one command.",
    ),
]
_CommandId = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,100}$")]
_MayCommand = Annotated[Caller, Depends(caller(Scope.COMMANDS))]


class Kept(BaseModel):
    """The command is kept and will be carried out."""

    id: str
    state: str
    duplicate: bool = Field(description="It was here already.")


class Status(BaseModel):
    """How far a command is."""

    id: str
    name: str
    state: str = Field(description="received, done, failed, dead or discarded")
    came_by: str = Field(description="push or pull, whichever was first")
    attempts: int = Field(description="How often it failed for a passing reason.")
    received_at: datetime
    done_at: datetime | None
    result: dict[str, Any] | None = Field(description="Once it is done.")
    error: dict[str, Any] | None = Field(description="code and detail, once it failed.")


def command_routes(commands: Commands, commits: GroupCommit) -> APIRouter:
    """The routes that commands come in by."""
    router = APIRouter(tags=["commands"])

    @router.post(
        "/api/commands",
        status_code=202,
        summary="Ask the desk for something",
        responses=documented(409),
        openapi_extra=_BODY,
    )
    async def ask(request: Request, key: _Key, who: _MayCommand) -> Kept:
        try:
            asked = read(await read_body(request, LARGEST_COMMAND))
        except BodyTooLargeError:
            raise ProblemError(
                413, "body-too-large", f"The body is larger than {LARGEST_COMMAND} bytes."
            ) from None
        except ValidationError as error:
            raise ProblemError(422, "command-invalid", _explained(error)) from None
        sender = Sender(who.name, key, CameBy.PUSH, who.request_id)
        keep = commands.accept(asked.id or uuid4().hex, asked, sender)
        try:
            taken = await commits.commit(keep)
        except DatabaseError as error:
            log.error("command_not_kept", reason=str(error))
            raise ProblemError(
                503, "not-accepted", "It could not be stored; ask again.", {"Retry-After": "5"}
            ) from None
        if not taken.is_same:
            raise ProblemError(
                409, "command-conflict", "This key or id came with another content before."
            )
        return Kept(id=taken.command_id, state=taken.state, duplicate=not taken.is_new)

    @router.get("/api/commands/{command_id}", summary="How far it is", responses=documented(404))
    async def status(command_id: _CommandId, _who: _MayCommand) -> Status:
        found = await run_in_threadpool(commands.state_of, command_id)
        if found is None:
            raise ProblemError(404, "command-unknown", "No command has this id.")
        return _status(found)

    return router


def _status(found: CommandState) -> Status:
    outcome = None if found.outcome is None else dict(found.outcome)
    return Status(
        id=found.command_id,
        name=found.name,
        state=found.state,
        came_by=found.came_by,
        attempts=found.attempts,
        received_at=found.received_at,
        done_at=found.done_at,
        result=outcome if found.state == "done" else None,
        error=outcome if found.state != "done" else None,
    )


def _explained(error: ValidationError) -> str:
    """Where it is wrong and what is wanted there, without what was sent."""
    told = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in told[:20])

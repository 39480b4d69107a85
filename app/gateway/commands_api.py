"""``/api/commands``: what the cloud asks of the desk, kept before it is answered."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends, Header, Path
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from app.commands.asked import LARGEST_COMMAND, AnyCommand, Asked, read
from app.commands.store import CameBy, Commands, CommandState, Sender, Taken
from app.ha.spool import Spool
from app.ha.spooled import Entry, Fate
from app.leading import Leadership
from app.store.database import DatabaseError
from app.store.group_commit import GroupCommit
from app.web.bodies import BodyTooLargeError, read_body
from app.web.clients import Caller, Scope, caller
from app.web.problems import ProblemError, documented

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


# Keeps a command: its body, read, and who sent it. Raises DatabaseError.
Keep = Callable[[bytes, Asked, Sender], Awaitable[Taken]]


def keeping(commands: Commands, commits: GroupCommit, *, copied: bool) -> Keep:
    """Keeps commands in their table; ``copied``: with a copy, for whom ``commits`` brings it to."""

    async def keep(body: bytes, asked: Asked, sender: Sender) -> Taken:
        entry = Entry.of_command(body, asked, sender)
        statement = commands.accept(entry.command_id, asked, sender)
        return await commits.commit(statement, entry if copied else None)

    return keep


def spooling(spool: Spool, commits: GroupCommit, leadership: Leadership) -> Keep:
    """Keeps commands in the spool; ``commits`` hand them on to the leader, if it can be had.

    What the leader told of it is what is answered, as far as it is known.
    """

    async def keep(body: bytes, asked: Asked, sender: Sender) -> Taken:
        entry = Entry.of_command(body, asked, sender)
        took = await commits.commit(spool.keeping(entry, leadership.standing().term))
        told = await run_in_threadpool(spool.told, took.row_id)
        if told is None or not took.is_same:
            return Taken(took.row_id, took.command_id, "received", took.is_new, took.is_same)
        is_new = took.is_new and told.fate is not Fate.DUPLICATE
        is_same = told.fate is not Fate.CONFLICT
        command_id = told.command_id or took.command_id
        return Taken(took.row_id, command_id, told.state or "received", is_new, is_same)

    return keep


def asking_routes(keep: Keep) -> APIRouter:
    """The route that commands come in by."""
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
            body = await read_body(request, LARGEST_COMMAND)
            asked = read(body)
        except BodyTooLargeError:
            raise ProblemError(
                413, "body-too-large", f"The body is larger than {LARGEST_COMMAND} bytes."
            ) from None
        except ValidationError as error:
            raise ProblemError(422, "command-invalid", _explained(error)) from None
        sender = Sender(who.name, key, CameBy.PUSH, who.request_id)
        try:
            taken = await keep(body, asked, sender)
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

    return router


def status_routes(commands: Commands) -> APIRouter:
    """The route that tells how far they are."""
    router = APIRouter(tags=["commands"])

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

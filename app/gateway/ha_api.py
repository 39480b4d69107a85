"""``/api/ha/``: what the two nodes hand to each other. Not part of the API's document."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeAlias

import structlog
from fastapi import APIRouter, Depends

from app.commands.store import Taken
from app.ha.forwarding import PATH as EVENTS
from app.ha.mirroring import PATH as MIRROR
from app.ha.replaying import Accepting, Found, UnreadableError, is_new
from app.ha.spool import Spool, Took
from app.ha.spooled import Answered, Batch, Entry, Fate, Told
from app.leading import Leadership, Role
from app.store.database import Connection, DatabaseError
from app.store.group_commit import GroupCommit
from app.web.clients import Caller, Scope, caller
from app.web.problems import ProblemError

log = structlog.get_logger()
_Node: TypeAlias = Annotated[Caller, Depends(caller(Scope.NODE))]
_REFUSED: Final = Told(fate=Fate.REFUSED)


def leader_routes(
    accepting: Accepting, commits: GroupCommit, leadership: Leadership, echo_wait: timedelta
) -> APIRouter:
    """What the other node may ask of a leader; what is in doubt is held for ``echo_wait``."""
    router = APIRouter(include_in_schema=False)

    @router.post(EVENTS)
    async def events(batch: Batch, _who: _Node) -> Answered:
        if leadership.standing().role is not Role.LEADER:
            raise _not_so("not-leading", leadership)
        # All at once, so in one group, and in their order. No copies: the other node has them.
        held_until = datetime.now(UTC) + echo_wait
        told = [
            _keep(accepting, commits, entry, held_until if place in batch.in_doubt else None)
            for place, entry in enumerate(batch.entries)
        ]
        try:
            return Answered(told=tuple(await asyncio.gather(*told)))
        except DatabaseError as error:
            log.error("forwarded_not_kept", reason=str(error))
            raise ProblemError(503, "not-accepted", "It could not be stored; ask again.") from None

    @router.post(MIRROR)
    async def mirror(_batch: Batch, _who: _Node) -> None:
        raise _not_so("not-standing-by", leadership)

    return router


def standby_routes(spool: Spool, commits: GroupCommit, leadership: Leadership) -> APIRouter:
    """What the other node may ask of a standby; ``commits`` are not those of the door.

    The door's wait until the leader has committed what is forwarded; its commits wait for this.
    """
    router = APIRouter(include_in_schema=False)

    @router.post(MIRROR)
    async def mirror(batch: Batch, _who: _Node) -> dict[str, int]:
        if leadership.standing().role is not Role.STANDBY:
            raise _not_so("not-standing-by", leadership)
        if batch.entries:
            statements = [
                spool.keeping(entry, batch.term, mirrored=True) for entry in batch.entries
            ]

            def keep(connection: Connection) -> list[Took]:
                return [statement(connection) for statement in statements]

            await commits.commit(keep)
        return {"kept": len(batch.entries)}

    @router.post(EVENTS)
    async def events(_batch: Batch, _who: _Node) -> None:
        raise _not_so("not-leading", leadership)

    return router


async def _keep(
    accepting: Accepting, commits: GroupCommit, entry: Entry, held_until: datetime | None
) -> Told:
    try:
        statement = accepting.statement(entry, held_until)
    except UnreadableError as error:
        log.error("forwarded_unreadable", kind=entry.kind, reason=str(error))
        return _REFUSED
    return _told(await commits.commit(statement))


def _told(found: Found) -> Told:
    if not isinstance(found, Taken):
        return Told(fate=Fate.KEPT if is_new(found) else Fate.DUPLICATE)
    if not found.is_same:
        return Told(fate=Fate.CONFLICT)
    fate = Fate.KEPT if found.is_new else Fate.DUPLICATE
    return Told(fate=fate, command_id=found.command_id, state=found.state)


def _not_so(kind: str, leadership: Leadership) -> ProblemError:
    standing = leadership.standing()
    return ProblemError(409, kind, f"This node is {standing.role}; {standing.leader} leads.")

"""Commands to the desk: offered, in their order, until it has told what came of them."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.store.exchange import Command
from cloud_jobs.store.upserts import insert_into

# What the desk's errors are called; their details may repeat what a guest wrote.
_CODE: Final = re.compile(r"[a-z0-9_]{1,60}")
_NO_CODE: Final = "failed"
ISSUED: Final = "commands_issued"
"""In ``session.info`` of a transaction that issues a command: see `cloud_jobs.exchange.bell`."""


class CommandState(StrEnum):
    """How far a command is."""

    OFFERED = "offered"
    DONE = "done"
    FAILED = "failed"


# Asked for all day long, mostly for nothing.
_OFFERED: Final = (
    select(Command)
    .where(Command.state == CommandState.OFFERED)
    .order_by(Command.seq)
    .limit(bindparam("most"))
)


def issue(  # noqa: PLR0913 - the parts of a command
    session: Session,
    seal: Seal,
    *,
    command_id: str,
    name: str,
    payload: dict[str, Any],
    run_id: str | None,
    now: datetime,
) -> bool:
    """Have the desk do something; whether this ``command_id`` is new. One that is known stays.

    ``payload`` is JSON, as docs/commands.md has it for ``name``. ``now`` is aware.
    """
    session.info[ISSUED] = True
    sealed = seal.seal(json.dumps(payload), f"commands.payload:{command_id}")
    kept = insert_into(session, Command).values(
        command_id=command_id,
        name=name,
        payload=sealed,
        run_id=run_id,
        state=CommandState.OFFERED,
        issued_at=now,
    )
    found = session.scalar(kept.on_conflict_do_nothing().returning(Command.seq))
    return found is not None


def offered(session: Session, limit: int) -> Sequence[Command]:
    """The first ``limit`` that the desk has not told of, in the order in which they were issued."""
    return session.scalars(_OFFERED, {"most": limit}).all()


def settle(  # noqa: PLR0913 - the parts of a report
    session: Session,
    seal: Seal,
    *,
    command_id: str,
    state: CommandState,
    result: Any,
    error: Any,
    now: datetime,
) -> bool:
    """Keep what came of a command; False if no open one has this id.

    The first that is told counts. Nobody needs the payload any more; of ``error`` the code is kept
    in plain, the whole sealed.
    """
    outcome = result if state is CommandState.DONE else error
    settled = session.scalar(
        update(Command)
        .where(Command.command_id == command_id, Command.state == CommandState.OFFERED)
        .values(
            state=state,
            settled_at=now,
            payload=seal.seal("{}", f"commands.payload:{command_id}"),
            result=seal.seal(json.dumps(outcome), f"commands.result:{command_id}"),
            error=None if state is CommandState.DONE else _code(error),
        )
        .returning(Command.seq)
    )
    return settled is not None


def state_of(session: Session, command_id: str) -> CommandState | None:
    """How far a command is; None if there is none of this id."""
    found = session.scalar(select(Command.state).where(Command.command_id == command_id))
    return None if found is None else CommandState(found)


def oldest_offered(session: Session) -> datetime | None:
    """Since when the oldest command has waited."""
    return session.scalar(
        select(func.min(Command.issued_at)).where(Command.state == CommandState.OFFERED)
    )


def payload_of(seal: Seal, command: Command) -> dict[str, Any]:
    """What the desk is given. Raises SealError."""
    found: dict[str, Any] = json.loads(
        seal.open(command.payload, f"commands.payload:{command.command_id}")
    )
    return found


def outcome_of(seal: Seal, command: Command) -> Any:
    """Its result, or its error; None while it is open. Raises SealError."""
    if command.result is None:
        return None
    return json.loads(seal.open(command.result, f"commands.result:{command.command_id}"))


def _code(error: Any) -> str:
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else _NO_CODE

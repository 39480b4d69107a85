"""Seeing to a restore that a person asked for: the node's part of ``portiere restore``."""

from typing import Final

from app.backup.redis_restoring import RedisRestoreError, restore_redis
from app.ha import replacing
from app.ha.asked import Outcome, Request
from app.ha.deciding import Replacement
from app.ha.machine import Machine
from app.ha.replacing import ReplaceError, Wanted
from app.leading import Role

Answer = tuple[Outcome | None, str]
_GOES_ON: Final[Answer] = (None, "")


def see_to_restore(machine: Machine, request: Request) -> Answer:
    """How it ended; None: it goes on."""
    under_way = replacing.read(machine.directory)
    if under_way is not None and under_way.request == request.id:
        machine.begun_by = request.id  # by an earlier process of this node
    if machine.begun_by == request.id:
        return _begun(machine, request)
    if (reason := _refused(machine, request)) is not None:
        return Outcome.FAILED, reason
    if request.database is None:
        return _restore_redis(machine, request)
    try:
        wanted = Wanted(
            candidate=request.database,
            why=request.why,
            replay=request.replay,
            forced=request.force,
            above=request.term,
            request=request.id,
        )
        replacing.begin(machine, wanted)
    except ReplaceError as error:
        return Outcome.FAILED, f"Nothing was changed: {error}."
    machine.begun_by = request.id
    return _GOES_ON


def _begun(machine: Machine, request: Request) -> Answer:
    if machine.not_replaced is not None:
        return Outcome.FAILED, f"It was not restored, all is as it was: {machine.not_replaced}."
    is_opening = machine.held is not None and not _leads(machine)
    if is_opening or replacing.replacement(machine) is not Replacement.NONE:
        return _GOES_ON
    if not _leads(machine):
        return Outcome.FAILED, "The lease went to another meanwhile: portiere ha status."
    if request.redis is not None:
        return _restore_redis(machine, request)
    return Outcome.DONE, _leading(machine)


def _refused(machine: Machine, request: Request) -> str | None:
    """Why it can't be restored here and now, and what to do."""
    settings = machine.settings
    if machine.leadership.term() is not None or request.force:
        return None
    heard, peer = machine.lease.heard, settings.ha_peer
    if machine.lease.unreached is not None or heard is None:
        return (
            f"The authority can't be reached ({machine.lease.unreached}), so it isn't known "
            f"whether {peer} leads. If {peer} is off for certain: --force."
        )
    holder = heard.answer.holder
    if holder not in {None, settings.node_name} and heard.answer.free_in > 0:
        return (
            f"{holder} leads, or may for {heard.answer.free_in:.0f} s more, and has the database: "
            f"{settings.node_name} copies it by itself. To go back to an earlier point, restore on "
            f"{holder}. If {holder} is off for certain: --force."
        )
    return None


def _restore_redis(machine: Machine, request: Request) -> Answer:
    if not _leads(machine):
        return Outcome.FAILED, (
            f"{machine.settings.node_name} doesn't lead: its Redis is a copy. Restore on the other."
        )
    if request.redis is None:
        return Outcome.FAILED, "There is nothing to restore: portiere restore says what there is."
    run = machine.journal.run("restore redis", machine.standing.now.term)
    try:
        with run.step(1, "have Redis load what was saved") as step:
            keys = restore_redis(machine.settings, request.redis)
            step.note = f"{keys} keys"
    except RedisRestoreError as error:
        return Outcome.FAILED, f"Redis was not restored: {error}"
    return Outcome.DONE, f"Redis has the {keys} keys of then. {_leading(machine)}"


def _leads(machine: Machine) -> bool:
    return machine.parts is not None and machine.standing.now.role is Role.LEADER


def _leading(machine: Machine) -> str:
    return f"{machine.settings.node_name} leads, in term {machine.standing.now.term}."

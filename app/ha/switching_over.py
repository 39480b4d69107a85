"""Switchover: the other node shall lead, in order. Nothing is lost and nothing is in doubt.

Up to the moment in which the authority hands the lease on, this node leads on if a step fails.
Afterwards its database is of a term that is over, and it rejoins.
"""

import time
from datetime import timedelta
from typing import Final

import structlog

from app import steady
from app.ha.authority import UnreachableError
from app.ha.journal import Run
from app.ha.machine import Machine
from app.ha.replicating import SyncError
from app.ha.reporting import programs_are_lost
from app.leading import Role, Standing
from app.messages import leading
from app.store.database import open_database
from app.store.users import wait_until_unused

log = structlog.get_logger()
# A send in hand is finished first: as long as one may take (10 s), and the request it came from.
LET_GO_WITHIN: Final = timedelta(seconds=15)
SYNC_WITHIN: Final = timedelta(seconds=5)
STOP_WITHIN: Final = timedelta(seconds=5)
COPIED_WITHIN: Final = timedelta(seconds=8)
LOOK: Final = 0.1
# A gateway or worker that fails only while it leads looks well on a standby.
WARY: Final = timedelta(hours=1)


class NotSwitchedError(Exception):
    """The other node can't lead now: this one leads on. The message says why."""


def switch_over(machine: Machine) -> None:
    """Hand the lead to the other node. Raises :class:`NotSwitchedError`: then nothing changed."""
    held = machine.held
    if held is None or machine.parts is None:
        raise NotSwitchedError("this node doesn't lead")
    run = machine.journal.run("switchover", held.term)
    with run.step(1, "take no more in hand"):
        before = machine.standing.now
        machine.standing.become(
            Standing(Role.HANDING_OVER, held.term, before.leader, held.valid_until)
        )
    try:
        _hand_over(machine, run, held.term)
    except (NotSwitchedError, SyncError) as error:
        raise NotSwitchedError(str(error)) from None
    away = max(machine.stays_away, WARY if programs_are_lost(machine) else timedelta(0))
    machine.no_wish_until = steady.now() + away.total_seconds()
    machine.lease.drop()
    machine.standing.become(
        Standing(Role.STANDBY, machine.lease.known_term, machine.settings.ha_peer)
    )


def _hand_over(machine: Machine, run: Run, term: int) -> None:
    """Up to the last of these steps nothing is decided; the loop opens the doors again."""
    settings = machine.settings
    with run.step(2, "finish what is in hand"):
        if machine.parts is not None:
            machine.parts.stop()
            machine.parts = None
        if not wait_until_unused(settings.database, LET_GO_WITHIN):
            raise NotSwitchedError("the worker or the gateway doesn't let go of the database")
    with run.step(3, "close the database") as step:
        last = _close(machine)
        step.note = f"beat {last}"
    with run.step(4, "replicate the rest"):
        if not machine.replicating.sync(SYNC_WITHIN).is_whole:
            raise NotSwitchedError("the other machine doesn't have all that was written")
    with run.step(5, "see that the other has it"):
        _wait_until_copied(machine, last)
    with run.step(6, "hand the lease on") as step:
        _give(machine)
        step.note = f"term {machine.lease.known_term}"
    with run.step(7, "stop replicating"):
        machine.replicating.stop(STOP_WITHIN)


def _close(machine: Machine) -> int:
    """Mark the database as handed over in order; the number of its last beat."""
    database = open_database(machine.settings.database)
    try:
        with database.transaction() as connection:
            leading.close(connection)
            leading.beat(connection)
            beat = leading.last_beat(connection)
    finally:
        database.close_all()
    if beat is None:
        raise NotSwitchedError("the database has no beat")
    return beat.beat


def _wait_until_copied(machine: Machine, beat: int) -> None:
    deadline = steady.now() + COPIED_WITHIN.total_seconds()
    while steady.now() < deadline:
        machine.lease.renew()
        seen = machine.peer_seen()
        if seen is not None and (seen.report.beat or 0) >= beat:
            return
        time.sleep(LOOK)
    raise NotSwitchedError("the other machine's copy stands still")


def _give(machine: Machine) -> None:
    """Hand the lease on. An answer that was lost may have been a yes: asked until one comes.

    If none comes, this node opens only if the authority still has it as the holder.
    """
    for _ in range(3):
        try:
            given = machine.lease.give(machine.settings.ha_peer)
        except UnreachableError as error:
            log.warning("lease_not_handed_on", reason=str(error))
            continue
        if given:
            return
        raise NotSwitchedError("the authority didn't hand the lease on")
    raise NotSwitchedError("the authority can't be reached")

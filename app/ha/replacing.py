"""Another database in the place of the present one, in a new term: what a restore comes to.

The present one is set aside, whole; the other machine follows the new term by itself. How far it is
stands in ``replacing.json``, so that a node that was killed goes on. Up to the moment in which the
present database is set aside a failure changes nothing; afterwards it is put back.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from app.ha.asides import RESTORED, write_down
from app.ha.deciding import Replacement
from app.ha.journal import Run
from app.ha.machine import Machine, data_term
from app.ha.restoring import RestoreError, put_back, put_in_place, set_aside, usable
from app.leading import Role, Standing
from app.store.database import DatabaseError
from app.store.users import wait_until_unused

log = structlog.get_logger()
STOP_WITHIN: Final = timedelta(seconds=5)
# A send in hand is finished first: as long as one may take (10 s), and the request it came from.
LET_GO_WITHIN: Final = timedelta(seconds=15)
_FILE: Final = "replacing.json"


class ReplaceError(Exception):
    """It wasn't replaced: the present database is in its place. The message says why."""


class Phase(StrEnum):
    """What is done of it."""

    BEGUN = "begun"
    SET_ASIDE = "set_aside"
    PLACED = "placed"
    HELD = "held"  # the new term is, in which the database is to be led with
    DONE = "done"  # it is led with

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left to do before the new term is held."""
        return self in {Phase.HELD, Phase.DONE}


class Wanted(BaseModel):
    """Another database, and why: ``candidate`` is a sound one in the present one's file system.

    ``replay``: whether what came in after its data is taken in again. ``forced``: a person said
    that nobody else leads. ``request``: whose it is (`app.ha.asked`). ``above``: a term that the
    new one must be above, for there is something of it.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    candidate: Path
    why: str
    replay: bool = True
    forced: bool = False
    request: str | None = None
    above: int = 0


class Replacing(Wanted):
    """A database that is being replaced. ``aside``: the folder for the present one; ``had``:
    whether there was one."""

    aside: Path
    had: bool = True
    phase: Phase = Phase.BEGUN


def replace_database(machine: Machine, candidate: Path, why: str, *, replay: bool = True) -> None:
    """Make ``candidate``, a sound database in this file system, the leader's, in a new term.

    When it returns the term is held: the node's loop then takes over and opens the doors. Raises
    :class:`ReplaceError`; then the node leads on with what it had.
    """
    begin(machine, Wanted(candidate=candidate, why=why, replay=replay))
    go_on(machine)


def begin(machine: Machine, wanted: Wanted) -> None:
    """Write down that it is to be replaced: the node's next move does it.

    Raises :class:`ReplaceError`.
    """
    if (other := read(machine.directory)) is not None and not other.phase.is_over:
        raise ReplaceError(f"the database is being replaced already: {other.why}")
    candidate = wanted.candidate.absolute()
    if not candidate.exists():
        raise ReplaceError(f"{candidate} isn't there: restore again")
    if not usable(candidate):
        raise ReplaceError(f"{candidate} is no sound database: restore another point")
    name = f"term-{_term_of(machine)}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    told = {**wanted.model_dump(), "candidate": candidate}
    begun = Replacing(**told, aside=(machine.directory / "aside" / name).absolute())
    machine.not_replaced = None
    _keep(machine, begun)


def read(directory: Path) -> Replacing | None:
    """What the node of this directory is replacing, or replaced last."""
    try:
        return Replacing.model_validate_json((directory / _FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def replacement(machine: Machine) -> Replacement:
    """Whether there is anything of it left to do before the new term is held."""
    found = read(machine.directory)
    if found is None or found.phase is Phase.DONE:
        return Replacement.NONE
    if found.phase is Phase.HELD and machine.held is not None:
        return Replacement.NONE
    return Replacement.FORCED if found.forced else Replacement.WANTED


def is_under_way(machine: Machine) -> bool:
    """Whether the database in place is another's, or about to be, and isn't led with yet."""
    found = read(machine.directory)
    return found is not None and found.phase is not Phase.DONE


def put_in_place_for(machine: Machine) -> Replacing | None:
    """What was put in place in order to be led with, and isn't yet."""
    found = read(machine.directory)
    return found if found is not None and found.phase is Phase.HELD else None


def go_on(machine: Machine) -> None:
    """Do what is left of it, up to holding the new term. Raises :class:`ReplaceError`."""
    now = read(machine.directory)
    if now is None:
        return
    run = machine.journal.run("restore", _term_of(machine))
    try:
        if now.phase is Phase.BEGUN:
            _let_go(machine, run)
            now = _set_aside(machine, run, now)
        if now.phase is Phase.SET_ASIDE:
            now = _put_in_place(machine, run, now)
    except (ReplaceError, RestoreError, OSError) as error:
        _undo(machine, now)
        machine.not_replaced = str(error)
        raise ReplaceError(str(error)) from None
    if now.phase in {Phase.PLACED, Phase.HELD}:
        _hold_a_new_term(machine, run, now)


def give_up(machine: Machine) -> None:
    """Another leads: all is put back as it was, to be handed over like any former leader's."""
    now = read(machine.directory)
    if now is None or now.phase is Phase.DONE:
        return
    if now.phase is not Phase.HELD:
        _undo(machine, now)
        machine.not_replaced = "the other node leads meanwhile: its database is the newest"
        log.warning("replacing_given_up", why=now.why)
        return
    (now.aside / RESTORED).unlink(missing_ok=True)
    _forget(machine)


def finish(machine: Machine) -> None:
    """It is led with, and what was newer is taken in."""
    now = read(machine.directory)
    if now is not None and now.phase is Phase.HELD:
        _keep(machine, now.model_copy(update={"phase": Phase.DONE}))


def _forget(machine: Machine) -> None:
    (machine.directory / _FILE).unlink(missing_ok=True)


def _let_go(machine: Machine, run: Run) -> None:
    with run.step(1, "take no more in hand"):
        before, held = machine.standing.now, machine.held
        if held is not None:
            machine.standing.become(
                Standing(Role.HANDING_OVER, held.term, before.leader, held.valid_until)
            )
    with run.step(2, "finish what is in hand"):
        if machine.parts is not None:
            machine.parts.stop()
            machine.parts = None
        if not wait_until_unused(machine.settings.database, LET_GO_WITHIN):
            raise ReplaceError(
                "the worker or the gateway doesn't let go of the database: restart it, then try "
                "again"
            )
    with run.step(3, "stop replicating"):
        machine.replicating.stop(STOP_WITHIN)
        machine.following.stop(STOP_WITHIN)
        machine.follows = None


def _set_aside(machine: Machine, run: Run, now: Replacing) -> Replacing:
    with run.step(4, "set the present database aside") as step:
        now.aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Before the database is there: whoever finds it knows by this what is to be taken of it.
        write_down(now.aside / RESTORED, {"replay": now.replay}, durable=True)
        database = machine.settings.database
        set_aside(database, machine.directory, 0, now.aside)
        had = (now.aside / database.name).exists()
        step.note = now.aside.name if had else "there is none"
        return _keep(machine, now.model_copy(update={"phase": Phase.SET_ASIDE, "had": had}))


def _put_in_place(machine: Machine, run: Run, now: Replacing) -> Replacing:
    with run.step(5, "put the other in its place") as step:
        database = machine.settings.database
        if now.candidate.exists():
            put_in_place(now.candidate, database)
        elif not database.exists():
            raise ReplaceError(f"{now.candidate} is gone: restore again")
        # What there is a copy of is not to be led with: this is.
        machine.remember(copied=None)
        step.note = now.why
        return _keep(machine, now.model_copy(update={"phase": Phase.PLACED}))


def _hold_a_new_term(machine: Machine, run: Run, now: Replacing) -> None:
    with run.step(6, "hold a new term") as step:
        # A machine that lost its disk has heard of none, and the authority may have, too.
        known = max(machine.lease.known_term, now.above, _term_of(machine))
        machine.lease.known_term = known
        machine.lease.force()
        held = machine.held
        if held is None or held.term <= known:
            raise ReplaceError("the authority didn't give a new term: it is asked again")
        _keep(machine, now.model_copy(update={"phase": Phase.HELD}))
        step.note = f"term {held.term}"


def _undo(machine: Machine, now: Replacing) -> None:
    """As it was. Raises nothing: what can't be put back is still where it was set aside."""
    database = machine.settings.database
    try:
        if now.phase is not Phase.BEGUN and not now.had:
            set_aside(database, machine.directory, _term_of(machine))
        elif now.phase is not Phase.BEGUN or not database.exists():
            put_back(now.aside / database.name, database)
        (now.aside / RESTORED).unlink(missing_ok=True)
        with suppress(OSError):
            now.aside.rmdir()  # if it is empty
    except (RestoreError, OSError) as error:
        log.error("not_put_back", aside=str(now.aside), reason=str(error))
    _forget(machine)


def _keep(machine: Machine, now: Replacing) -> Replacing:
    machine.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_down(machine.directory / _FILE, now.model_dump(mode="json"), durable=True)
    return now


def _term_of(machine: Machine) -> int:
    """The term of the present database, as far as it can be read."""
    with suppress(DatabaseError):
        return data_term(machine.settings.database) or 0
    return machine.held.term if machine.held else machine.lease.known_term

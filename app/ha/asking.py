"""Seeing to what a person asked of the node (`app.ha.asked`), as far as it is by now."""

from datetime import timedelta

from app.ha.asked import Outcome, Request, Verb, answer, pending
from app.ha.asking_restore import see_to_restore
from app.ha.machine import Machine
from app.leading import Role


def see_to_what_is_asked(machine: Machine) -> None:
    """Each turn: begin what is asked, say so once it is done, or why it can't be."""
    request = pending(machine.directory)
    if request is None:
        _forget(machine)
        return
    outcome, message = _see_to(machine, request)
    if outcome is not None:
        _forget(machine)
        answer(machine.directory, request.id, outcome, message)


def _forget(machine: Machine) -> None:
    machine.lead_asked_for = machine.lead_given_away = False
    machine.stays_away = timedelta(0)


def _see_to(machine: Machine, request: Request) -> tuple[Outcome | None, str]:
    """How it ended; None: it goes on."""
    match request.verb:
        case Verb.FAILOVER:
            return _fail_over(machine, request)
        case Verb.SWITCHOVER:
            return _switch_over(machine, request)
        case Verb.REJOIN:
            return _rejoin(machine)
        case Verb.RESTORE:
            return see_to_restore(machine, request)


def _leads(machine: Machine) -> bool:
    return machine.parts is not None and machine.standing.now.role is Role.LEADER


def _fail_over(machine: Machine, request: Request) -> tuple[Outcome | None, str]:
    settings = machine.settings
    if _holds(machine) and request.force and machine.begun_by != request.id:
        return _take_anew(machine, request)
    if _leads(machine):
        term = machine.standing.now.term
        if machine.begun_by == request.id:
            return Outcome.DONE, f"{settings.node_name} leads, in term {term}."
        return Outcome.NOTHING_TO_DO, f"{settings.node_name} leads already, in term {term}."
    if machine.held is not None:
        return None, ""  # it is taking over
    return _take(machine, request)


def _holds(machine: Machine) -> bool:
    """Whether this node leads and may not act: its lease lapsed, and nobody is known to have it."""
    return _leads(machine) and machine.leadership.term() is None


def _take_anew(machine: Machine, request: Request) -> tuple[Outcome | None, str]:
    """A leader that may not act shall, for a person saw to it that the other is off: in a new term,
    with the database that it has."""
    machine.begun_by = request.id
    if machine.parts is not None:
        machine.parts.stop()
        machine.parts = None
    machine.lease.force()
    return None, ""


def _take(machine: Machine, request: Request) -> tuple[Outcome | None, str]:
    settings = machine.settings
    if machine.begun_by == request.id:
        return Outcome.FAILED, "The lease went to another meanwhile: portiere ha status."
    if machine.known.copied is None and not settings.database.exists():
        return Outcome.FAILED, (
            f"{settings.node_name} has no copy of the database: to lead would be to begin with "
            "nothing. `portiere restore` brings back a backup."
        )
    if not request.force and (reason := _is_led(machine)):
        return Outcome.FAILED, reason
    machine.begun_by = request.id
    if request.force:
        machine.lease.force()
    else:
        machine.lease.acquire()
    return None, ""


def _is_led(machine: Machine) -> str | None:
    """Why nothing can be taken over without force."""
    heard, peer = machine.lease.heard, machine.settings.ha_peer
    if machine.lease.unreached is not None or heard is None:
        return (
            f"The authority can't be reached ({machine.lease.unreached}), so it isn't known "
            f"whether {peer} leads. If {peer} is off for certain: --force."
        )
    if heard.answer.free_in > 0:
        return (
            f"{heard.answer.holder} leads, or may for {heard.answer.free_in:.0f} s more. While it "
            "is well, ask for a switchover. If it is off for certain: --force."
        )
    return None


def _switch_over(machine: Machine, request: Request) -> tuple[Outcome | None, str]:
    settings = machine.settings
    here, to = settings.node_name, request.to or _other(machine)
    if to not in {here, settings.ha_peer}:
        return Outcome.FAILED, f"There is no node {to}: {here} or {settings.ha_peer}."
    leader = here if _leads(machine) else machine.standing.now.leader
    if leader == to and (to != here or _leads(machine)):
        if machine.begun_by == request.id:
            return Outcome.DONE, f"{to} leads."
        return Outcome.NOTHING_TO_DO, f"{to} leads already."
    if machine.begun_by != request.id:
        machine.begun_by, machine.not_switched, machine.no_switch_until = request.id, None, 0
    return _begin_switch(machine, request)


def _begin_switch(machine: Machine, request: Request) -> tuple[Outcome | None, str]:
    if machine.not_switched is not None:
        return Outcome.FAILED, f"It leads on: {machine.not_switched}."
    if not _leads(machine):
        machine.lead_asked_for = True
        return None, ""
    if (reason := _not_ready(machine)) is not None:
        return Outcome.FAILED, reason
    machine.lead_given_away = True
    machine.stays_away = request.stays
    return None, ""


def _other(machine: Machine) -> str:
    """Who doesn't lead."""
    if _leads(machine):
        return machine.settings.ha_peer
    return machine.settings.node_name


def _not_ready(machine: Machine) -> str | None:
    seen, peer = machine.peer_seen(), machine.settings.ha_peer
    if seen is None:
        return f"{peer} isn't heard of: nothing to switch over to."
    if not seen.report.is_ready:
        return f"{peer} isn't ready to lead: `portiere ha status` there says what it lacks."
    return None


def _rejoin(machine: Machine) -> tuple[Outcome | None, str]:
    """It rejoins by itself; by hand, the copy is begun anew."""
    if _leads(machine):
        return Outcome.NOTHING_TO_DO, f"{machine.settings.node_name} leads: nothing to rejoin."
    machine.follows = None
    return Outcome.DONE, "The copy is begun anew: portiere ha status."

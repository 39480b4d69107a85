"""The node process: it holds the lease or stands by, and leads or follows accordingly.

One thread asks for the lease (`app.ha.holding`); this one looks each second at how things stand
(`app.ha.deciding`) and does the next move, step by step. What fails is logged and decided anew.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import structlog

from app import steady
from app.backup.noting import see_that_it_began
from app.ha import corruption, recovered, redis_roles, replacing, reporting
from app.ha.alone import run_alone
from app.ha.asking import see_to_what_is_asked
from app.ha.authority import Authority, UnreachableError
from app.ha.corruption import see_to_damage
from app.ha.deciding import Move, Replacement, Situation, Told, decide
from app.ha.following import Following
from app.ha.forwarding import Forwarder
from app.ha.holding import Held, Lease
from app.ha.journal import Journal
from app.ha.machine import Machine, peer_client, readable_term
from app.ha.parts import Parts
from app.ha.redis_roles import RedisRole
from app.ha.rejoining import (
    count_asides,
    follow,
    hand_over_asides,
    put_aside,
    step_down,
    tend_copy,
)
from app.ha.replacing import ReplaceError, give_up, go_on
from app.ha.replaying import replay
from app.ha.replicating import Replicating
from app.ha.spool import Spool
from app.ha.standing import OwnStanding
from app.ha.staying import Staying, provider_reachable
from app.ha.switching_over import NotSwitchedError, switch_over
from app.ha.taking_over import LostError, open_doors, take_over
from app.ha.troubling import tell_troubles
from app.ha.witness import make_witness
from app.heap import settle_heap
from app.leading import Role, Standing, standing_file
from app.sealing import Seal
from app.settings import ProviderName, Settings
from app.stopping import stopping_at_signals

log = structlog.get_logger()
TURN: Final = timedelta(seconds=0.5)
STOP_WITHIN: Final = timedelta(seconds=5)
# What failed is decided anew, but not at once.
REST: Final = timedelta(seconds=2)
# Each attempt is a pause for the guests.
SWITCH_AGAIN: Final = timedelta(minutes=1)


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    stopping = stopping_at_signals()
    see_that_it_began(settings)
    if settings.ha_authority:
        _run_one_of_two(settings, stopping)
    else:
        run_alone(settings, stopping)
    log.info("node_stopped")


def _run_one_of_two(settings: Settings, stopping: threading.Event) -> None:
    machine = make_machine(settings)
    forwarder = Forwarder(
        settings, machine.leadership, machine.spool, machine.following.copy, machine.leaders_beat
    )
    settle_heap()
    with ExitStack() as running:  # ended in reverse
        running.callback(_close, machine)
        machine.lease.start()
        running.callback(machine.lease.stop)
        forwarder.start()
        running.callback(forwarder.stop)
        log.info("node_ready", node=settings.node_name, role=machine.standing.now.role)
        while not stopping.is_set():
            turn(machine)
            stopping.wait(TURN.total_seconds())
        log.info("node_stopping")


def make_machine(settings: Settings) -> Machine:
    """This machine, as its last node left it."""
    directory = settings.ha_directory
    seal = Seal(settings.seal_key_bytes, settings.index_key_bytes)
    machine = Machine(
        settings=settings,
        seal=seal,
        standing=OwnStanding(standing_file(settings)),
        journal=Journal(directory / "journal.jsonl"),
        spool=Spool(directory / "spool.db", seal),
        replicating=Replicating(settings, directory),
        following=Following(settings, directory),
        redis=redis_roles.admin(settings),
        peer=peer_client(settings),
        staying=Staying(
            settings, make_witness(settings), partial(provider_reachable, _provider(settings))
        ),
    )
    standing = machine.standing.now

    def extend(held: Held) -> None:
        machine.standing.extend(held.term, held.valid_until)

    machine.lease = Lease(
        settings,
        Authority(settings.authority_urls, settings.node_name, settings.cloud_key_bytes),
        machine.staying,
        partial(reporting.report, machine),
        extend,
    )
    machine.lease.known_term = machine.known.term
    if standing.role is not Role.STANDBY:
        machine.lease.resume(Held(standing.term, standing.valid_until or 0))
    count_asides(machine)
    return machine


def turn(machine: Machine) -> None:
    """One look at how things stand, and what follows from it."""
    try:
        # With a damaged database there is nothing to decide.
        if not see_to_damage(machine):
            move = decide(_situation(machine))
            # To stand by is never put off.
            if steady.now() >= machine.rest_until or move is Move.STEP_DOWN:
                _do(machine, move)
        _tend(machine)
        see_to_what_is_asked(machine)
    except Exception as error:  # the node must live on whatever a step came to: it decides anew
        log.error("turn_failed", error=type(error).__name__, reason=str(error))
        machine.rest_until = steady.now() + REST.total_seconds()
    finally:
        machine.doing = None
    try:
        reporting.write_view(machine)
    except OSError as error:  # on a full disk there is no telling how one stands, but one stands
        log.error("view_not_written", reason=str(error))


def _situation(machine: Machine) -> Situation:
    heard, held = machine.lease.heard, machine.held
    told = None
    if heard is not None and machine.lease.unreached is None:
        answer = heard.answer
        is_free = answer.free_in - (steady.now() - heard.at) <= 0
        told = Told(answer.holder, answer.term, answer.begun, is_free)
    replacement = replacing.replacement(machine)
    return Situation(
        node=machine.settings.node_name,
        role=machine.standing.now.role,
        held=held.term if held else None,
        # One that is being replaced may be unreadable: it may be why.
        data=readable_term(machine) if replacement is Replacement.NONE else None,
        copy=machine.known.copied,
        following=machine.follows,
        opened=machine.parts is not None,
        preferred=machine.settings.ha_preferred,
        paused=reporting.is_paused(machine),
        other_may=reporting.other_may_lead(machine),
        told=told,
        replacement=replacement,
    )


def _do(machine: Machine, move: Move) -> None:
    if move is not Move.STAY:
        machine.doing = move
        log.info("node_moves", move=move)
    try:
        _WAYS[move](machine)
    except (LostError, UnreachableError, ReplaceError) as error:
        log.warning("move_failed", move=move, reason=str(error))
        machine.rest_until = steady.now() + REST.total_seconds()
    except NotSwitchedError as error:
        log.warning("not_switched", reason=str(error))
        machine.not_switched = str(error)
        machine.no_switch_until = steady.now() + SWITCH_AGAIN.total_seconds()
    if move not in {Move.STAY, Move.RECLAIM}:
        machine.calm_since = steady.now()
        machine.lease.wake()


def _stay(_: Machine) -> None:
    """Nothing is to be done."""


def _reclaim(machine: Machine) -> None:
    machine.lease.reclaim(machine.lease.known_term)


def _acquire(machine: Machine) -> None:
    machine.lease.acquire()


def _follow(machine: Machine) -> None:
    heard = machine.lease.heard
    if heard is not None:
        follow(machine, heard.answer.begun)


_WAYS: Final[Mapping[Move, Callable[[Machine], None]]] = {
    Move.STAY: _stay,
    Move.RECLAIM: _reclaim,
    Move.ACQUIRE: _acquire,
    Move.TAKE_OVER: take_over,
    Move.OPEN: open_doors,
    Move.STEP_DOWN: step_down,
    Move.SET_ASIDE: put_aside,
    Move.FOLLOW: _follow,
    Move.SWITCH_OVER: switch_over,
    Move.REPLACE: go_on,
    Move.GIVE_UP: give_up,
}


def _tend(machine: Machine) -> None:
    """What is to be done all the time, leading or standing by."""
    machine.presence.look()
    standing = machine.standing.now
    if machine.parts is not None and standing.role is Role.LEADER:
        _tend_lead(machine, machine.parts)
    elif standing.role is Role.STANDBY:
        _tend_standby(machine)
    if machine.lease.unreached is not None or not machine.staying.reaches_provider:
        machine.calm_since = steady.now()


def _tend_lead(machine: Machine, parts: Parts) -> None:
    parts.tend()
    machine.replicating.tend()
    machine.redis_state = redis_roles.state(machine.redis)
    if machine.redis_state.role is RedisRole.AWAY:
        machine.redis_away_since = machine.redis_away_since or steady.now()
    else:
        machine.redis_away_since = None
        if machine.redis_state.role is RedisRole.REPLICA:
            redis_roles.lead(machine.redis)
    if machine.spool.count():
        # Nobody who might have acted on it before has led since: it was taken while we changed.
        never = datetime.fromtimestamp(0, UTC)
        parts.put(replay(parts.desk.database, machine.seal, machine.spool, never).jobs)
    if machine.copied_beat() is not None:
        machine.copied_at = datetime.now(UTC)
    tell_troubles(machine, parts.desk)
    recovered.tell(machine.directory, machine.settings.node_name, parts.desk)
    corruption.tend(machine)


def _tend_standby(machine: Machine) -> None:
    _know_leader(machine)
    tend_copy(machine)
    if machine.asides_to_hand_over and machine.lease.heard is not None:
        hand_over_asides(machine)


def _know_leader(machine: Machine) -> None:
    """Where the gateway forwards to: to whoever the authority has as the holder."""
    heard, now = machine.lease.heard, machine.standing.now
    if heard is None or machine.held is not None:
        return
    if (heard.answer.holder, heard.answer.term) == (now.leader, now.term):
        return
    machine.standing.become(Standing(Role.STANDBY, heard.answer.term, leader=heard.answer.holder))


def _close(machine: Machine) -> None:
    """The lease runs out by itself; whoever comes next finds all as it is."""
    if machine.parts is not None:
        machine.parts.stop()
    machine.replicating.stop(STOP_WITHIN)
    machine.following.stop(STOP_WITHIN)
    machine.peer.close()


def _provider(settings: Settings) -> str:
    if settings.provider is ProviderName.SPOKI:
        return str(settings.spoki_base_url)
    return str(settings.whatsapp_base_url)

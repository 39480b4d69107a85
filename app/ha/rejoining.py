"""Rejoin: another leads, and this machine stands by again.

Its database is of a term that is over. It is set aside, never thrown away; what only it has is
handed over; then the leader's is copied.
"""

from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
import redis
import structlog

from app import steady
from app.ha import redis_roles, replacing
from app.ha.child import ChildError
from app.ha.handing_back import words
from app.ha.handing_over import MARKER, HandOverError, Since, hand_over, prune_aside, since_of
from app.ha.litestream import LitestreamError, forget_terms, place_of
from app.ha.machine import Machine, readable_term
from app.ha.redis_roles import RedisRole
from app.ha.restoring import RestoreError, set_aside
from app.leading import Role, Standing
from app.store.users import wait_until_unused

log = structlog.get_logger()
STOP_WITHIN: Final = timedelta(seconds=5)
LET_GO_WITHIN: Final = timedelta(seconds=15)
# The one that is followed, and two before it: for a person who looks for what became of something.
KEPT_TERMS: Final = 3
# The leader may be in the middle of its takeover.
AGAIN: Final = timedelta(seconds=3)
# The user of the two Redis by which they copy each other.
REPLICA_USER: Final = "replica"


def step_down(machine: Machine) -> None:
    """Another leads: act no more. Its database stays until :func:`put_aside`."""
    run = machine.journal.run("step down", machine.lease.known_term)
    heard = machine.lease.heard
    with run.step(1, "stand by"):
        machine.standing.become(
            Standing(
                Role.STANDBY,
                machine.lease.known_term,
                leader=heard.answer.holder if heard else None,
            )
        )
    # A database that was put in place and not led with comes to nothing.
    replacing.give_up(machine)
    with run.step(2, "end what a leader does"):
        if machine.parts is not None:
            machine.parts.stop()
            machine.parts = None
    with run.step(3, "stop replicating"):
        machine.replicating.stop(STOP_WITHIN)


def put_aside(machine: Machine) -> None:
    """Set the database aside, once nobody has it open."""
    run = machine.journal.run("rejoin", machine.lease.known_term)
    database = machine.settings.database
    with run.step(1, "let go of the database"):
        if not wait_until_unused(database, LET_GO_WITHIN):
            raise RestoreError("the worker or the gateway doesn't let go of the database")
    with run.step(2, "set it aside") as step:
        aside = set_aside(database, machine.directory, readable_term(machine) or 0)
        step.note = aside.parent.name if aside else "there is none"
    count_asides(machine)


def count_asides(machine: Machine) -> None:
    """How many databases were set aside and not handed over yet."""
    machine.asides_to_hand_over = len(_open_asides(machine))


def hand_over_asides(machine: Machine) -> None:
    """Hand over what only the databases set aside have; what fails is tried again."""
    if steady.now() < machine.hand_over_at:
        return
    for aside in _open_asides(machine):
        try:
            since = since_of(aside, machine.peer)
            _hand_over(machine, aside, since)
        except (HandOverError, httpx.HTTPError) as error:
            log.warning("not_handed_over", reason=str(error))
            machine.hand_over_at = steady.now() + AGAIN.total_seconds()
            return
    count_asides(machine)
    prune_aside(machine.directory)


def _hand_over(machine: Machine, aside: Path, since: Since) -> None:
    run = machine.journal.run("hand over", machine.lease.known_term)
    with run.step(1, "hand over what only this machine has") as step:
        done = hand_over(aside, since, machine.peer)
        step.note = words(done)


def follow(machine: Machine, term: int) -> None:
    """Copy what the leader writes in ``term``."""
    run = machine.journal.run("follow", term)
    try:
        with run.step(1, "follow the leader's database"):
            machine.following.start(term)
            machine.follows = term
        with run.step(2, "forget old terms"):
            forget_terms(place_of(machine.settings), KEPT_TERMS)
    except (ChildError, LitestreamError) as error:
        log.error("not_followed", reason=str(error))


def tend_copy(machine: Machine) -> None:
    """Each second, while standing by: the follower runs, Redis is the leader's copy."""
    if machine.follows is None:
        return
    machine.following.tend()
    beat = machine.following.beat()
    if beat is not None and beat.term == machine.follows:
        machine.remember(copied=machine.follows)
    tend_redis(machine)


def tend_redis(machine: Machine) -> None:
    """Redis copies the leader's, also after it was started anew."""
    settings = machine.settings
    machine.redis_state = redis_roles.state(machine.redis)
    if machine.redis_state.role is RedisRole.AWAY:
        return
    password = settings.ha_redis_password.get_secret_value()
    try:
        redis_roles.follow(machine.redis, settings.ha_redis_peer, REPLICA_USER, password)
    except redis.RedisError as error:
        log.warning("redis_not_followed", reason=type(error).__name__)


def _open_asides(machine: Machine) -> list[Path]:
    folders = sorted((machine.directory / "aside").glob("term-*"))
    name = machine.settings.database.name
    return [
        folder / name
        for folder in folders
        if (folder / name).exists() and not (folder / MARKER).exists()
    ]

"""Taking over: the term is ours; the database becomes ours, and then the doors open.

Each step may be cut short and is done again from the beginning by whoever comes next: nothing is
opened before the authority has it that the term began, and until then the last leader's data are
the newest.
"""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog

from app import steady
from app.ha import redis_roles, replacing
from app.ha.handing_back import hand_back
from app.ha.journal import Run
from app.ha.machine import Machine, data_term
from app.ha.parts import Parts
from app.ha.replaying import Replayed, replay
from app.ha.reporting import report
from app.ha.restoring import RestoreError, put_in_place, restore_newest, usable
from app.ha.telling_change import tell_change
from app.leading import Role, Standing
from app.messages import leading
from app.messages.doubt import Doubted, cast_doubt
from app.messages.handed_over import highest_ids
from app.messages.leading import How
from app.store.database import Connection, Database, now_ms, open_copy, open_database

log = structlog.get_logger()
# A follower ends within milliseconds, if nothing reads its file.
STOP_WITHIN: Final = timedelta(seconds=2)
_NOBODY: Final = Doubted(0, 0, 0, 0)


class LostError(Exception):
    """The lease went to another meanwhile: nothing was opened."""


def take_over(machine: Machine) -> None:
    """Make the newest data the database of the term that is held, and open the doors."""
    term = _term(machine)
    run = machine.journal.run("takeover", term)
    with run.step(1, "stop following"):
        machine.following.stop(STOP_WITHIN)
        machine.follows = None
    with run.step(2, "restore what was replicated") as step:
        step.note = _restore(machine)
    with run.step(3, "begin the term in the database") as step:
        step.note = _begin(machine, term)
    open_doors(machine, run)


def open_doors(machine: Machine, run: Run | None = None) -> None:
    """Lead in the term that is held, whose database is in place."""
    term = _term(machine)
    run = run or machine.journal.run("open", term)
    settings = machine.settings
    with run.step(4, "make Redis lead here"):
        redis_roles.lead(machine.redis)
        redis_roles.forget_queue(machine.redis)
    parts = Parts(settings, machine.leadership, machine.copied_beat)
    try:
        doubt_until = _doubt_until(machine, parts.desk.database)
        with run.step(5, "take in what waits in the spool") as step:
            taken = replay(parts.desk.database, machine.seal, machine.spool, doubt_until)
            step.note = f"{taken.webhooks} webhooks, {taken.commands} commands"
        with run.step(6, "say that the term begins"):
            if not machine.lease.begin(report(machine, role=Role.LEADER, term=term)):
                raise LostError(f"term {term} is another's by now")
        # Before anything is sent: what was sent since is known by it.
        taken.jobs += hand_back(machine, parts.desk.database)
        with run.step(7, "open the doors"):
            _open(machine, parts, term, doubt_until, taken)
    except BaseException:
        parts.stop()
        raise
    machine.parts = parts
    replacing.finish(machine)
    with run.step(8, "replicate"):
        machine.replicating.start(term)
        machine.remember(copied=None)


def _open(
    machine: Machine, parts: Parts, term: int, doubt_until: datetime, taken: Replayed
) -> None:
    left = (doubt_until - datetime.now(UTC)).total_seconds()
    with parts.desk.database.transaction() as connection:
        leading.reopen(connection)
        tell_change(machine, parts.desk, connection)
    held = machine.held
    machine.standing.become(
        Standing(
            Role.LEADER,
            term,
            leader=machine.settings.node_name,
            valid_until=held.valid_until if held else steady.now(),
            doubt_until=steady.now() + max(0.0, left),
        )
    )
    parts.start()
    parts.put(taken.jobs)


def _restore(machine: Machine) -> str:
    """What the database is now made of."""
    database, copied = machine.settings.database, machine.known.copied
    data = data_term(database)
    if data is not None and data >= (copied or 0):
        return f"the one here, of term {data}, is the newest"
    if copied is None:
        _see_that_nobody_led(machine)
        return "there is none yet"
    if (copy := _closed_copy(machine)) is not None:
        put_in_place(copy, database)
        return f"term {copied}, from the copy here, which is whole"
    new = machine.directory / "restored.db"
    try:
        restore_newest(machine.settings, copied, new, machine.following.best)
    except RestoreError as error:
        new = _own_copy(machine, error)
        put_in_place(new, database)
        return f"term {copied}, from the copy here: {error}"
    put_in_place(new, database)
    return f"term {copied}"


def _see_that_nobody_led(machine: Machine) -> None:
    """To begin with nothing is right once, at the very first; later the disk was lost.

    Then the lease is let go of: who has the data shall have it.
    """
    heard, held = machine.lease.heard, machine.held
    begun = heard.answer.begun if heard else held and held.term
    if begun:
        machine.lease.drop()
        raise LostError(
            f"there was led in term {begun}, and nothing of it is here: the other node has it, or "
            "portiere restore brings it back"
        )


def _closed_copy(machine: Machine) -> Path | None:
    """The copy here, if it says that its leader handed over in order: then nothing was written
    after what it has. By SFTP all of it would have to come over the line again."""
    copy = machine.following.copy()
    if copy is None or not usable(copy):
        return None
    with closing(open_copy(copy)) as connection:
        return copy if leading.is_closed(connection) else None


def _own_copy(machine: Machine, error: RestoreError) -> Path:
    """Where it was replicated to may be gone with the leader: then what followed it is all."""
    copy = machine.following.copy()
    if copy is None or not usable(copy):
        raise error
    log.warning("place_unreachable", reason=str(error))
    return copy


def _begin(machine: Machine, term: int) -> str:
    settings = machine.settings
    database = open_database(settings.database)
    try:
        with database.transaction() as connection:
            beat = leading.last_beat(connection)
            put = replacing.put_in_place_for(machine)
            how, doubted = _how(machine, connection, is_restored=put is not None)
            found: dict[str, Any] = {
                "beat": beat.beat if beat else None,
                "beat_at": int(beat.beat_at.timestamp() * 1000) if beat else None,
                "in_doubt": doubted.sending + doubted.pending,
                "held": doubted.inbox + doubted.commands,
                "ids": highest_ids(connection),
            }
            if put is not None:
                found["restored"] = put.why
            leading.begin_term(connection, term, settings.node_name, how, json.dumps(found))
    finally:
        database.close_all()
    return f"{how}; {found['in_doubt']} sends in doubt, {found['held']} rows held"


def _how(machine: Machine, connection: Connection, *, is_restored: bool) -> tuple[How, Doubted]:
    """How the lead came here, and what the last leader may have done that nobody knows of."""
    wait = machine.settings.send_echo_wait
    if is_restored:
        return "restored", cast_doubt(connection, now_ms(), wait)
    before = leading.current(connection)
    if before is None:
        return "first", _NOBODY
    if leading.is_closed(connection):
        return "switchover", _NOBODY
    doubted = cast_doubt(connection, now_ms(), wait)
    return ("forced" if machine.lease.was_forced else "failover"), doubted


def _doubt_until(machine: Machine, database: Database) -> datetime:
    """When what the last leader may have done is taken for not done; in the past if never."""
    (term,) = leading.terms(database.connection, 1)
    if term.how in {"first", "switchover"}:
        return datetime.fromtimestamp(0, UTC)
    wait = machine.settings.send_echo_wait
    # A clock that was set back meanwhile must not have anybody wait for longer.
    return min(term.began_at, datetime.now(UTC)) + wait


def _term(machine: Machine) -> int:
    if machine.held is None:
        raise LostError("the lease is another's by now")
    return machine.held.term

"""The leader's database is damaged: that is found, and a good copy put in its place by itself.

Looked at it is before this node's doors first open, at once when a process met damage
(`app.store.damage`), and every hour; in a thread, as a look takes as long as a restore. That
another machine stands by changes nothing: it would begin with the same copy.
"""

import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import structlog

from app import steady
from app.backup.soundness import SoundnessError
from app.ha import litestream, looking, recovered, replacing
from app.ha.asides import keep_for_ever
from app.ha.deciding import Replacement
from app.ha.good_copies import Good, newest_good
from app.ha.looking import Before, NotLookedError, Seen
from app.ha.machine import Machine, data_term, readable_term
from app.ha.recovered import MOST, Recovered
from app.ha.replacing import LET_GO_WITHIN, ReplaceError, Wanted
from app.ha.watch import Watch
from app.leading import Role, Standing
from app.messages.leading import last_beat
from app.store import damage
from app.store.database import DatabaseError, open_copy
from app.store.users import wait_until_unused

# So long a wrong value may be served that SQLite doesn't stumble over. A look fetches the whole
# database from the place: more often, it would be most of what goes over the line.
EVERY: Final = timedelta(hours=1)
# What couldn't be looked at, and where there was no good copy.
AGAIN: Final = timedelta(minutes=5)
# How long replication may take to begin; without it, the file is looked at by itself.
_PATIENCE: Final = 60.0
# Of what failed on the way: somebody doesn't let go, a disk is full.
_SOON: Final = timedelta(seconds=10)
_ASK: Final = timedelta(seconds=10)
log = structlog.get_logger()


class NoGoodCopyError(Exception):
    """There is none, or none is reached. Says what to do."""


def see_to_damage(machine: Machine) -> bool:
    """Each turn, first: see to a database that is damaged. Whether nothing else may be done with it
    before another is in its place. Raises :class:`ReplaceError`, :class:`NoGoodCopyError`."""
    if replacing.replacement(machine) is not Replacement.NONE:
        # Another file, of which nothing is known yet.
        machine.watch = Watch()
        return False
    watch = machine.watch
    if machine.held is None:
        if watch.mending is not None:
            machine.watch = Watch()
        return False
    seen = _lying_here(machine) if machine.parts is None else _led_with(machine)
    if seen is None or seen.damage is None:
        return False
    if steady.now() < watch.again_at:
        return watch.mending is not None
    _mend(machine, seen, seen.damage)
    return True


def tend(machine: Machine) -> None:
    """Each second, while leading: look when it is time, or when a process met damage."""
    watch = machine.watch
    if watch.thread is not None:
        return
    noted = damage.noted(machine.settings.database)
    if noted in {None, watch.noted}:
        if steady.now() < watch.due:
            return
        watch.due = watch.due or steady.now()
        if steady.now() < watch.due + _PATIENCE and not _may_compare(machine):
            return
    watch.noted = noted
    term = machine.standing.now.term
    watch.thread = threading.Thread(
        target=partial(_look, machine, watch, term), name="looking", daemon=True
    )
    watch.thread.start()


def _may_compare(machine: Machine) -> bool:
    """Whether the place has taken something since replication began."""
    position = machine.replicating.position()
    return position is not None and position.synced_at is not None


def _look(machine: Machine, watch: Watch, term: int) -> None:
    try:
        watch.seen = looking.look(machine.settings, term, machine.replicating, watch.before)
    except Exception as error:  # it is told of in the node's own thread
        watch.error = error


def _lying_here(machine: Machine) -> Seen | None:
    """What is wrong with the database that is to be led with, before the doors open."""
    watch, settings = machine.watch, machine.settings
    if watch.mending is not None:
        return watch.mending
    if watch.checked or not settings.database.exists():
        return None
    try:
        term = data_term(settings.database)
        found = looking.damage_of(settings.database, settings)
    except DatabaseError as error:
        if not damage.is_damage(error):
            raise
        return Seen(f"it can't be read: {error}")
    except SoundnessError as error:
        # Of a newer release, or of other keys: whoever opens it says so.
        log.warning("not_looked", reason=str(error))
        return None
    watch.checked = True
    if found is None and term and _was_led_with(machine, term):
        watch.before = Before(term, _newest(machine, term))
    return Seen(found)


def _was_led_with(machine: Machine, term: int) -> bool:
    """Whether the file is what this machine led with last: not another that was put in its place,
    and not an old one that gives way to the copy."""
    return not replacing.is_under_way(machine) and term >= (machine.known.copied or 0)


def _newest(machine: Machine, term: int) -> int | None:
    """The newest transaction at the place: from the next on, replication begins with what is here,
    right or wrong. None: the term is over, or the place doesn't say."""
    if machine.held is None or term != machine.held.term:
        return None
    settings, config = machine.settings, machine.directory / "before.yml"
    with suppress(litestream.LitestreamError):
        told = litestream.config_for(litestream.place_of(settings), term, settings.database)
        litestream.write_config(config, told)
        return litestream.newest(config, settings.database.absolute(), _ASK)
    return None


def _led_with(machine: Machine) -> Seen | None:
    """What the last look found, once it is over."""
    watch = machine.watch
    if watch.thread is None or watch.thread.is_alive():
        return None
    watch.thread = None
    seen, error, watch.seen, watch.error = watch.seen, watch.error, None, None
    if error is not None or seen is None:
        log.warning("not_looked", reason=str(error) if _is_known(error) else type(error).__name__)
        watch.due = steady.now() + AGAIN.total_seconds()
        return None
    watch.due = steady.now() + EVERY.total_seconds()
    log.info("looked", damage=seen.damage, pages=len(seen.pages))
    if seen.damage is None:
        watch.before = watch.given_up = watch.noted = None
        watch.sound_at = datetime.now(UTC)
        damage.forget(machine.settings.database)
        return None
    if recovered.read(machine.directory).of_late() >= MOST:
        watch.given_up = seen.damage
        return None
    return seen


def _is_known(error: Exception | None) -> bool:
    return isinstance(error, NotLookedError)


def _mend(machine: Machine, seen: Seen, what: str) -> None:
    watch = machine.watch
    term = machine.held.term if machine.held else 0
    watch.mending, watch.again_at = seen, steady.now() + _SOON.total_seconds()
    machine.doing = "recover"
    run = machine.journal.run("recover", term)
    with run.step(1, "stop what works with the damaged database") as step:
        step.note = what
        _let_go(machine)
        until = _last_written(machine)
    with run.step(2, "find the newest good copy") as step:
        good = newest_good(machine, readable_term(machine) or term, seen)
        if good is None:
            watch.again_at = steady.now() + AGAIN.total_seconds()
            raise NoGoodCopyError(
                "no copy of the database is good, or none is reached: messages are taken into the "
                "spool. See docs/corruption.md"
            )
        step.note = f"{good.source} of {good.at}"
    with run.step(3, "ask for it to be put in place"):
        _ask_for(machine, good, what)
        recovered.add(machine.directory, _recovered(good, until))
    damage.forget(machine.settings.database)


def _ask_for(machine: Machine, good: Good, what: str) -> None:
    """The node's next move does it (`app.ha.replacing`)."""
    at = f"{good.at:%d %b %H:%M:%S} UTC" if good.at else "an unknown time"
    replacing.begin(machine, Wanted(candidate=good.path, why=f"{good.source} of {at}: {what}"))
    now = replacing.read(machine.directory)
    if now is not None:
        keep_for_ever(now.aside, what)


def _recovered(good: Good, until: datetime) -> Recovered:
    return Recovered(
        at=datetime.now(UTC),
        source=good.source,
        copied_at=good.at,
        until=until,
        is_whole=good.is_whole,
    )


def _let_go(machine: Machine) -> None:
    """From here on all is taken into the spool. Replication goes on: it has the rest to send."""
    held = machine.held
    if held is not None:
        name = machine.settings.node_name
        machine.standing.become(Standing(Role.HANDING_OVER, held.term, name, held.valid_until))
    if machine.parts is not None:
        machine.parts.stop()
        machine.parts = None
    if not wait_until_unused(machine.settings.database, LET_GO_WITHIN):
        raise ReplaceError("the worker or the gateway doesn't let go of the damaged database")


def _last_written(machine: Machine) -> datetime:
    """When the damaged file was last written; now, if it doesn't say."""
    with suppress(DatabaseError):
        connection = open_copy(machine.settings.database)
        try:
            beat = last_beat(connection)
        finally:
            connection.close()
        if beat is not None:
            return min(beat.beat_at, datetime.now(UTC))
    return datetime.now(UTC)

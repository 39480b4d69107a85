"""What ``portiere restore`` does: it plans, fetches and checks, and asks the node for the rest."""

import fcntl
import getpass
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Final, NoReturn

import typer

from app import settings as configuration
from app.backup import planning
from app.backup.planning import Plan, What
from app.backup.points import Point, PointError, Wanted, choose, read_wanted
from app.backup.redis_restoring import RedisRestoreError, restore_redis
from app.conversation import property as facts
from app.ha import asked, points_there, replacing, troubles
from app.ha import view as views
from app.ha.asked import AskedError, Outcome, Request, Verb
from app.ha.fetching import DamagedPointError, FetchError, fetch_database, fetch_redis, made_at
from app.ha.following_steps import SilentError, follow
from app.ha.journal import Journal, journal_file
from app.ha.points_there import There
from app.ha.replacing_alone import is_in_use, replace_alone
from app.ha.restoring import RestoreError
from app.ha.view import View
from app.settings import Settings
from app.store.database import DatabaseError, open_copy

WRONG: Final = 1
_IN_USE: Final = (
    "This machine has no other, and its programs work with the database: stop the gateway, the "
    "worker and the node, restore, and start them."
)
_COUNTED: Final = {"guests": "guests", "bookings": "bookings", "messages of guests": "inbox"}


@dataclass(frozen=True)
class _Here:
    """This machine, the property's time zone, and whether to ask."""

    settings: Settings
    zone: tzinfo
    yes: bool


@dataclass(frozen=True)
class _Found:
    """The points for the database, the best first, and the one for the queue."""

    databases: list[Point]
    queue: Point | None


@dataclass(frozen=True)
class _Fetched:
    database: Path | None
    redis: Path | None
    why: str
    at: datetime


@dataclass(frozen=True)
class Asked:
    """What a person said: the options of the command."""

    point: str
    what: What
    check: bool
    yes: bool
    replay: bool
    force: bool
    by: str


def run(said: Asked) -> None:
    """Plan, fetch, check, and have it done. Exits with 1 where it is refused."""
    found = configuration.load()
    zone = facts.load(found.property_file).time_zone
    there = points_there.look(found)
    for reason in there.unreached:
        typer.echo(f"not looked at: {reason}", err=True)
    points = _points(there, _wanted(said.point, zone), said.what)
    plan = _plan(found, points, replay=said.replay)
    for line in planning.lines(plan, zone):
        typer.echo(line)
    if (refused := _refusal(found, plan, force=said.force)) is not None:
        _refuse(refused)
    if said.check:
        return
    if not said.yes:
        typer.confirm("Restore this?", abort=True)
    with _only_one(found) as directory:
        fetched = _fetch(_Here(found, zone, said.yes), points, directory)
        if not found.ha_authority:
            _do_alone(found, fetched, replay=said.replay)
            return
        request = Request(
            verb=Verb.RESTORE,
            force=said.force,
            database=fetched.database,
            redis=fetched.redis,
            why=fetched.why,
            replay=said.replay,
            term=there.term,
            by=f"cli:{said.by or getpass.getuser()}",
        )
        _do(found, request)


def _wanted(text: str, zone: tzinfo) -> Wanted:
    try:
        return read_wanted(text, datetime.now(UTC), zone)
    except PointError as error:
        _refuse(str(error))


def _points(there: There, wanted: Wanted, what: What) -> _Found:
    """The points; the queue's is of the database's moment where that was asked for by its id."""
    try:
        databases = choose(wanted, there.spans, there.databases) if what.has_database else []
        if what.has_database and what.has_redis and wanted.snapshot is not None:
            wanted = Wanted(moment=databases[0].at)
    except PointError as error:
        _refuse(str(error))
    return _Found(databases, _queue(there, wanted) if what.has_redis else None)


def _queue(there: There, wanted: Wanted) -> Point:
    try:
        return choose(wanted, [], there.queues)[0]
    except PointError as error:
        _refuse(
            f"The queue: {error}. --what sqlite restores the database alone: the queue is filled "
            "again from that."
        )


def _plan(found: Settings, points: _Found, *, replay: bool) -> Plan:
    first = points.databases[0] if points.databases else None
    return Plan(
        database=first,
        redis=points.queue,
        losses=planning.losses(found.database, first.at) if first else None,
        aside=found.ha_directory.absolute() / "aside",
        replay=replay,
    )


def _refusal(found: Settings, plan: Plan, *, force: bool) -> str | None:
    """Why it can't be done here and now."""
    reason = _not_alone(found) if not found.ha_authority else _not_asked(found, force=force)
    if reason is not None:
        return reason
    found.ha_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for point in (plan.database, plan.redis):
        if point is None:
            continue
        if (reason := planning.refusal(point, found.database, found.ha_directory)) is not None:
            return reason
    return None


def _not_alone(found: Settings) -> str | None:
    return _IN_USE if is_in_use(found) else None


def _not_asked(found: Settings, *, force: bool) -> str | None:
    """Why the node can't be asked for it."""
    view = views.read(found.ha_directory)
    entries = Journal(journal_file(found)).entries()
    unseen = troubles.unseen(view, entries[-1] if entries else None)
    if view is None or unseen is not None:
        trouble = unseen or troubles.NOTHING_SEEN
        return f"{trouble.what} {trouble.remedy}"
    return None if force else _led_elsewhere(view)


def _led_elsewhere(view: View) -> str | None:
    if view.leader != view.peer:
        return None
    return (
        f"{view.peer} leads, and has the database: {view.node} copies it by itself, there is "
        f"nothing to restore here. To go back to an earlier point: portiere restore, on "
        f"{view.peer}. If {view.peer} is off for certain: --force."
    )


@contextmanager
def _only_one(found: Settings) -> Iterator[Path]:
    """A directory to fetch into, of this machine's only restore; afterwards it is gone."""
    directory = found.ha_directory.absolute() / "restored"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (found.ha_directory / "restore.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _refuse("Another restore is under way on this machine: wait until it is over.")
        _see_that_none_is_under_way(found)
        shutil.rmtree(directory, ignore_errors=True)  # what one left that was killed
        try:
            yield directory / secrets.token_hex(4)
        finally:
            _leave(found, directory)


def _see_that_none_is_under_way(found: Settings) -> None:
    """The node may be at what was asked of it by a command that was killed."""
    pending, under_way = asked.pending(found.ha_directory), replacing.read(found.ha_directory)
    if pending is not None or (under_way is not None and not under_way.phase.is_over):
        _refuse("The node is still at something that was asked of it: portiere ha status.")


def _leave(found: Settings, directory: Path) -> None:
    """Remove what was fetched, unless the node is still to take it."""
    under_way = replacing.read(found.ha_directory)
    is_over = under_way is None or under_way.phase.is_over
    if is_over and asked.pending(found.ha_directory) is None:
        shutil.rmtree(directory, ignore_errors=True)


def _fetch(here: _Here, points: _Found, directory: Path) -> _Fetched:
    database, redis, words, at = None, None, "", None
    try:
        if points.databases:
            database, taken = _fetch_database(here, points.databases, directory / "database")
            at = made_at(database) or taken.at
            words = replace(taken, at=at).words(here.zone)
            typer.echo(f"fetched    {words}: whole, and opens with our keys")
        if points.queue is not None:
            redis = fetch_redis(here.settings, points.queue, directory / "redis")
            words = words or points.queue.words(here.zone)
    except FetchError as error:
        _refuse(f"{error}. Nothing was changed.")
    return _Fetched(database, redis, words, at or datetime.now(UTC))


def _fetch_database(here: _Here, points: Sequence[Point], to: Path) -> tuple[Path, Point]:
    """The best point that is whole. What is damaged is told, and the next is asked about."""
    for number, point in enumerate(points):
        if number:
            typer.echo(f"instead    {point.words(here.zone)}")
            if not here.yes:
                typer.confirm("Restore that one?", abort=True)
        typer.echo(f"fetching   {point.words(here.zone)} …")
        try:
            return fetch_database(here.settings, point, to), point
        except DamagedPointError as error:
            typer.echo(f"no good    {error}", err=True)
    raise FetchError("there is no point that is whole: docs/restore.md, at its end")


def _do(found: Settings, request: Request) -> None:
    """Ask the node, show its steps, and see what there is afterwards."""
    directory, journal = found.ha_directory, Journal(journal_file(found))
    before = journal.entries()
    try:
        asked.ask(directory, request)
        answer = follow(directory, journal, request, before, typer.echo)
    except (AskedError, SilentError) as error:
        _refuse(str(error))
    if answer.outcome is not Outcome.DONE:
        _refuse(answer.message)
    typer.echo(answer.message)
    typer.echo(f"There are {_counts(found.database)}.")


def _do_alone(found: Settings, fetched: _Fetched, *, replay: bool) -> None:
    try:
        if fetched.database is not None:
            since = replace_alone(found, fetched.database, fetched.at, replay=replay)
            typer.echo(
                f"Restored. Of what came since: {since}. There are {_counts(found.database)}."
            )
        if fetched.redis is not None:
            typer.echo(f"Redis has the {restore_redis(found, fetched.redis)} keys of then.")
    except (RestoreError, RedisRestoreError) as error:
        _refuse(str(error))
    typer.echo("Start the gateway, the worker and the node now.")


def _counts(database: Path) -> str:
    try:
        with closing(open_copy(database)) as connection:
            return ", ".join(
                f"{connection.execute(f'SELECT count(*) FROM {table}').fetchone()[0]} {what}"  # noqa: S608 - ours
                for what, table in _COUNTED.items()
            )
    except DatabaseError as error:
        _refuse(f"{database} can't be read after all: {error}. portiere ha status")


def _refuse(why: str) -> NoReturn:
    typer.echo(f"portiere: {why}", err=True)
    raise typer.Exit(WRONG)

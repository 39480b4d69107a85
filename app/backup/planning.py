"""What a restore would do, before it does anything: the plan as data, and in words."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Final

from app.backup.points import Point
from app.store.database import Connection, DatabaseError, open_copy, to_ms

# What SQLite and Litestream write besides while a database is put together and checked.
_SPARE: Final = 20_000_000


class What(StrEnum):
    """What is restored."""

    SQLITE = "sqlite"
    REDIS = "redis"
    ALL = "all"

    @property
    def has_database(self) -> bool:
        """Whether the desk's database is."""
        return self is not What.REDIS

    @property
    def has_redis(self) -> bool:
        """Whether the queue is."""
        return self is not What.SQLITE


@dataclass(frozen=True)
class Losses:
    """What the present database has that a point doesn't: rows written since, by what they are.

    ``back``: they are taken in again. ``gone``: they are in what is set aside, and nowhere else.
    """

    back: Mapping[str, int]
    gone: Mapping[str, int]


@dataclass(frozen=True)
class Plan:
    """``database``, ``redis``: the points that are taken, None where that isn't restored.

    ``losses``: None where there is no present database that can be read. ``aside``: where that one
    goes. ``replay``: whether what came in since is taken in again.
    """

    database: Point | None
    redis: Point | None
    losses: Losses | None
    aside: Path
    replay: bool = True


def losses(database: Path, at: datetime) -> Losses | None:
    """What of the present database is newer than ``at``; None: there is none that can be read."""
    if not database.exists():
        return None
    try:
        with closing(open_copy(database)) as connection:
            return Losses(
                back=_counted(connection, _BACK, at), gone=_counted(connection, _GONE, at)
            )
    except DatabaseError:
        return None


def refusal(point: Point, database: Path, directory: Path) -> str | None:
    """Why there is no room to fetch a point into ``directory``; None: there is.

    As large as the present database, where it isn't known how large it is.
    """
    present = database.stat().st_size if database.exists() else 0
    needed = (point.size or present) + _SPARE
    free = shutil.disk_usage(directory).free
    if free >= needed:
        return None
    return (
        f"{directory} has {free / 1e6:.0f} MB free, and this takes {needed / 1e6:.0f} MB beside "
        "the present database. Make room, then try again"
    )


def lines(plan: Plan, zone: tzinfo) -> Iterator[str]:
    """The plan in words, a line each; times in ``zone``."""
    if plan.database is not None:
        yield f"database   from {plan.database.words(zone)}"
        yield from _lost(plan)
        yield f"kept       the present database, in {plan.aside}"
    if plan.redis is not None:
        yield f"queue      from {plan.redis.words(zone)}; what is queued now is dropped from Redis,"
        yield "           and queued again from the database"


def _lost(plan: Plan) -> Iterator[str]:
    if plan.losses is None:
        yield "lost       not known: there is no present database here that can be read"
        return
    back, gone = _listed(plan.losses.back), _listed(plan.losses.gone)
    if not back and not gone:
        yield "lost       nothing: nothing was written since"
        return
    if gone:
        yield f"undone     {gone}: as they were then"
    if back and plan.replay:
        yield f"replayed   {back}: taken in again, and nothing sent twice"
    elif back:
        yield f"lost       {back}: they stay in what is kept; nothing is sent twice"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _counted(connection: Connection, statements: Mapping[str, str], at: datetime) -> dict[str, int]:
    since = {"at": to_ms(at)}
    return {
        what: int(connection.execute(f"SELECT count(*) FROM {statement}", since).fetchone()[0])  # noqa: S608 - ours
        for what, statement in statements.items()
    }


_BACK: Final = {
    "guests' messages": "inbox WHERE guest IS NOT NULL AND received_at > :at",
    "sent messages": "outbox WHERE sent_at > :at",
    "commands": "commands WHERE received_at > :at",
}
_GONE: Final = {
    "changed bookings": "bookings WHERE updated_at > :at",
    "changed guests": "guests WHERE updated_at > :at",
    "requests": "requests WHERE created_at > :at",
}

"""Points that can be gone back to: what a person asks for, what there is, and which is taken."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from app.backup.restic import Snapshot

_ID: Final = re.compile(r"[0-9a-f]{8,64}")
_CLOCK: Final = re.compile(r"\d\d?:\d\d(:\d\d)?")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_HOW: Final = (
    "write latest, a time (2026-11-27 16:05, with +01:00 behind it for another zone; 16:05 for the "
    "last time that the clock said so), or a snapshot's id: portiere backup list"
)


class PointError(Exception):
    """There is no such point; the message says what to ask for instead."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for: the state of a ``moment`` (aware), a ``snapshot``'s id, or the latest."""

    moment: datetime | None = None
    snapshot: str | None = None


@dataclass(frozen=True)
class Span:
    """What replication kept of a ``term``: each moment from ``first`` to ``last``."""

    term: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Saved:
    """A snapshot, and the address of the repository that has it."""

    repository: str
    snapshot: Snapshot


@dataclass(frozen=True)
class Point:
    """One to go back to. ``at``: when its data are from, at most. Of a ``term`` that was
    replicated, all up to ``until`` (None: all of it); or a snapshot that is ``saved``."""

    at: datetime
    term: int | None = None
    until: datetime | None = None
    saved: Saved | None = None

    @property
    def size(self) -> int | None:
        """Bytes of it, where that is known."""
        return self.saved.snapshot.size if self.saved else None

    def words(self, zone: tzinfo) -> str:
        """What it is, for a person."""
        at = f"{self.at.astimezone(zone):%d %b %Y %H:%M:%S %Z}"
        if self.saved is None:
            return f"{at}, as it was replicated in term {self.term}"
        snapshot = self.saved.snapshot
        return f"{at}, snapshot {snapshot.id[:8]} of {snapshot.host} in {self.saved.repository}"


def read_wanted(text: str, now: datetime, zone: tzinfo) -> Wanted:
    """What a person wrote; a time without a zone is of ``zone``, the property's.

    ``now`` is aware. Raises :class:`PointError`.
    """
    text = text.strip()
    if text in {"", "latest"}:
        return Wanted()
    if _ID.fullmatch(text):
        return Wanted(snapshot=text)
    if _DATE.fullmatch(text):
        raise PointError(f"{text} is a whole day: say at what time of it ({text} 16:05)")
    moment = _last(text, now, zone) if _CLOCK.fullmatch(text) else _read_time(text, zone)
    if moment > now:
        raise PointError(f"{text} is still to come: it is {now.astimezone(zone):%H:%M:%S} there")
    return Wanted(moment=moment)


def choose(wanted: Wanted, spans: Iterable[Span], saved: Iterable[Saved]) -> list[Point]:
    """The points that are as asked for, the best first: the newest, and of those replication's.

    Those behind it are for where one can't be had. Raises :class:`PointError`.
    """
    spans, saved = list(spans), list(saved)
    if wanted.snapshot is not None:
        return [_named(wanted.snapshot, saved)]
    points = [*(_of_span(span, wanted.moment) for span in spans), *(_of(one) for one in saved)]
    found = [one for one in points if one and (wanted.moment is None or one.at <= wanted.moment)]
    if not found:
        raise PointError(_nothing(wanted, spans, saved))
    return sorted(found, key=lambda one: (one.at, one.term or 0), reverse=True)


def _of_span(span: Span, moment: datetime | None) -> Point | None:
    if moment is None:
        return Point(span.last, term=span.term)
    if moment < span.first:
        return None
    return Point(min(moment, span.last), term=span.term, until=moment)


def _of(saved: Saved) -> Point:
    return Point(saved.snapshot.at, saved=saved)


def _named(name: str, saved: Sequence[Saved]) -> Point:
    found = [one for one in saved if one.snapshot.is_called(name)]
    if not found:
        raise PointError(f"no repository has a snapshot {name} of this kind: portiere backup list")
    if len({one.snapshot.original for one in found}) > 1:
        raise PointError(f"several snapshots begin with {name}: write more of its id")
    return _of(found[0])


def _nothing(wanted: Wanted, spans: Sequence[Span], saved: Sequence[Saved]) -> str:
    oldest = min((*(one.first for one in spans), *(one.snapshot.at for one in saved)), default=None)
    if oldest is None:
        return (
            "there is no backup that can be reached. Are PORTIERE_HA_REPLICA and "
            "PORTIERE_BACKUP_REPOSITORIES right, and the machines that have them on?"
        )
    zone = wanted.moment.tzinfo if wanted.moment else UTC
    from_when = f"{oldest.astimezone(zone):%d %b %Y %H:%M:%S %Z}"
    return f"there is nothing as old: the oldest is from {from_when}"


def _last(clock: str, now: datetime, zone: tzinfo) -> datetime:
    """The last time that the clock said so."""
    for days in (0, 1):
        day = (now.astimezone(zone) - timedelta(days=days)).date()
        found = _read_time(f"{day} {clock:0>{8 if clock.count(':') == 2 else 5}}", zone)
        if found <= now:
            return found
    raise PointError(f"{clock} can't be told: {_HOW}")


def _read_time(text: str, zone: tzinfo) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise PointError(f"{text!r} is no point: {_HOW}") from None
    if found.tzinfo is not None:
        return found
    first, second = (found.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != found:
        raise PointError(f"{text}: the clock went forward over it, that day")
    raise PointError(
        f"{text} was twice that night: write it with {first:%z} behind it, or with {second:%z}"
    )

"""Handing over what only a former leader's database has, before that copy is thrown away.

It died, or was cut off, with rows that never were replicated. Whoever leads now began with a copy
from a moment before (:class:`Since`); all from about then on is offered to it, and it keeps what it
lacks (`app.ha.taking_in`). To offer a row twice changes nothing.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from app.commands import handed_over as commands
from app.guests import handed_over as guests
from app.ha.asides import MARKER, RESTORED, prune_aside, write_down
from app.ha.handed import LARGEST_BATCH, PATH, Batch, Beginning, Counts
from app.messages import handed_over as messages
from app.messages.leading import Beat, current, last_beat
from app.retry_after import retry_after
from app.store.damage import is_damage
from app.store.database import Connection, DatabaseError, milliseconds, open_copy, to_ms
from app.store.handed import Handed, Tail

__all__ = ["MARKER", "HandOverError", "HandedOver", "Since", "hand_over", "prune_aside", "since_of"]
T = TypeVar("T", bound=BaseModel)
log = structlog.get_logger()
PROGRESS: Final = "handing-over.json"
# What the leader's copy had of the last moment may be older than its newest beat; to offer too much
# costs nothing.
MARGIN: Final = timedelta(seconds=60)
_BEAT: Final = timedelta(seconds=1)
# Bytes of one request, unless a single row is larger.
_LARGEST: Final = 500_000


class HandOverError(Exception):
    """It isn't all handed over; the message says why. What is, is: call again and it goes on.

    ``after``: when to ask again, if the leader said.
    """

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


@dataclass(frozen=True)
class Since:
    """What the leader's copy began with: the newest beat of the former leader that it had.

    ``term``: the one it leads in. ``beat_at``: in ms, 0 where it isn't known: then all is offered.
    ``ids``: the highest id of each table that it had; a table that isn't there isn't known of.
    """

    term: int
    beat: int = 0
    beat_at: int = 0
    ids: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class HandedOver:
    """How many rows were offered, and what the leader did with them.

    ``new``: it lacked them. ``known``: it had them. ``settled``: what became of a message, which it
    didn't know. ``differs``: it has them otherwise; it keeps its own, a person may look.
    ``refused``: it couldn't read them; then the database that was set aside is never deleted.
    """

    offered: int = 0
    new: int = 0
    known: int = 0
    settled: int = 0
    differs: int = 0
    refused: int = 0


@dataclass(frozen=True)
class _Progress:
    """How far it is with the leader of ``term``: the row ``after`` of ``step`` is handed over."""

    term: int
    step: int = 0
    after: int = 0
    counts: HandedOver = HandedOver()


_Read = Callable[[Connection, Tail, int], Iterator[tuple[int, Handed]]]
# In this order: what was sent before what would be answered, reports on sends before both; guests
# before their bookings. The names are those of the batch's fields.
_STEPS: Final[tuple[tuple[str, _Read], ...]] = (
    ("outcomes", messages.outcomes),
    ("reports", messages.reports),
    ("messages", messages.messages),
    ("commands", commands.commands),
    ("written", messages.written),
    ("guests", guests.guests),
    ("bookings", guests.bookings),
    ("requests", guests.requests),
    ("held", messages.held),
    ("told", messages.told),
)
# Of a database that a restore put another in the place of. What was sent was sent; what came in is
# done once more; guests and bookings shall be as they were.
_SENT: Final = frozenset({"outcomes", "reports"})
_CAME_IN: Final = frozenset({"messages", "commands", "written", "told"})
Offer = Callable[[Batch], Counts]


def since_of(aside: Path, peer: httpx.Client) -> Since:
    """Ask the leader what its copy of ``aside`` began with: ``GET /api/ha/handover``.

    Raises :class:`HandOverError`.
    """
    try:
        with closing(open_copy(aside)) as connection:
            term = current(connection) or 0
    except DatabaseError as error:
        if not is_damage(error):
            raise HandOverError(f"{aside} can't be read: {error}") from error
        term = 0
    answer = _asked(lambda: peer.get(PATH, params={"after": term}))
    return Since(**_read(Beginning, answer).model_dump())


def hand_over(aside: Path, since: Since, peer: httpx.Client) -> HandedOver:
    """Hand over to the leader all of ``aside``, a database, that it lacks; again, it goes on.

    ``peer`` signs and has the leader's address. When all is handed over, ``handed-over.json``
    beside ``aside`` says so, with the counts. Raises :class:`HandOverError`.
    """
    return hand_over_to(lambda batch: _offer(peer, batch), aside, since)


def hand_over_to(offer: Offer, aside: Path, since: Since) -> HandedOver:
    """The same to whatever takes a batch.

    Of a database that was replaced (``restored.json``) what it has of messages and commands. Of
    that, and of one that is damaged, as far as it can be read.
    """
    if (done := _done(aside)) is not None:
        return done
    progress = _begun(aside, since.term)
    wanted = wanted_of(aside)
    try:
        with closing(open_copy(aside)) as connection:
            tail = _tail(connection, since)
            for number, (name, _) in enumerate(_STEPS):
                if number < progress.step:
                    continue
                if wanted is None or name in wanted:
                    progress = _readable_step(offer, aside, connection, tail, progress)
                progress = replace(progress, step=number + 1, after=0)
    except DatabaseError as error:
        if not _is_left(aside, error):
            raise HandOverError(f"{aside} can't be read: {error}") from error
        progress = _unread(aside, progress, error)
    except ValidationError as error:
        # Its text would quote what a guest wrote.
        raise HandOverError(f"a row of {aside} can't be read ({error.title})") from None
    _finish(aside, progress)
    return progress.counts


def wanted_of(aside: Path) -> frozenset[str] | None:
    """What is to be taken of a database that was replaced; None: all of it, it wasn't."""
    try:
        told = json.loads(aside.with_name(RESTORED).read_text())
    except (OSError, ValueError):
        return None
    return _SENT | _CAME_IN if told["replay"] else _SENT


def _step(
    offer: Offer, aside: Path, connection: Connection, tail: Tail, progress: _Progress
) -> _Progress:
    name, read = _STEPS[progress.step]
    for place, rows in _batches(read(connection, tail, progress.after)):
        answer = offer(Batch.model_validate({"to_term": progress.term, name: rows}))
        counts = _added(progress.counts, len(rows), answer)
        progress = replace(progress, after=place, counts=counts)
        write_down(aside.with_name(PROGRESS), asdict(progress))
    return progress


def _readable_step(
    offer: Offer, aside: Path, connection: Connection, tail: Tail, progress: _Progress
) -> _Progress:
    """The same; where the file can't be read any further, that is counted and left."""
    try:
        return _step(offer, aside, connection, tail, progress)
    except (DatabaseError, ValidationError) as error:
        if not _is_left(aside, error):
            raise
        return _unread(aside, _begun(aside, progress.term), error)


def _is_left(aside: Path, error: Exception) -> bool:
    """Whether what can't be read is left: of a file that is damaged, or was replaced as it may be.
    Of others it is tried again."""
    return is_damage(error) or wanted_of(aside) is not None


def _unread(aside: Path, progress: _Progress, error: Exception) -> _Progress:
    # Without its text: that may quote what a guest wrote.
    log.error("aside_unreadable", aside=str(aside), reason=type(error).__name__)
    counts = replace(progress.counts, refused=progress.counts.refused + 1)
    return replace(progress, counts=counts)


def _tail(connection: Connection, since: Since) -> Tail:
    """What the leader may lack. Raises :class:`HandOverError` unless it leads a later term."""
    term, last = current(connection) or 0, last_beat(connection)
    if since.term <= term:
        raise HandOverError(f"the other node leads in term {since.term}, this one led in {term}")
    cut = since.beat_at if last is None else min(since.beat_at, _by_beats(last, since))
    return Tail(cut - milliseconds(MARGIN), since.ids)


def _by_beats(last: Beat, since: Since) -> int:
    """When the leader's newest beat was by this file's last: its clock may have been set back."""
    return to_ms(last.beat_at - (last.beat - since.beat) * _BEAT)


def _batches(
    rows: Iterator[tuple[int, Handed]],
) -> Iterator[tuple[int, tuple[Handed, ...]]]:
    """Rows that fit into one request each time, with the place of the last."""
    batch: list[Handed] = []
    size, last = 0, 0
    for place, row in rows:
        length = len(row.model_dump_json())
        if batch and (len(batch) == LARGEST_BATCH or size + length > _LARGEST):
            yield last, tuple(batch)
            batch, size = [], 0
        batch.append(row)
        size, last = size + length, place
    if batch:
        yield last, tuple(batch)


def _offer(peer: httpx.Client, batch: Batch) -> Counts:
    body = batch.model_dump_json(exclude_defaults=True)
    headers = {"Content-Type": "application/json"}
    return _read(Counts, _asked(lambda: peer.post(PATH, content=body, headers=headers)))


def _asked(ask: Callable[[], httpx.Response]) -> httpx.Response:
    try:
        answer = ask()
    except httpx.HTTPError as error:
        raise HandOverError(f"the leader can't be reached: {type(error).__name__}") from None
    if answer.status_code != 200:
        raise HandOverError(
            f"the leader answered HTTP {answer.status_code}", retry_after(answer.headers)
        )
    return answer


def _read(model: type[T], answer: httpx.Response) -> T:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError:
        raise HandOverError("the leader's answer can't be read: deploy the same release") from None


def _added(held: HandedOver, offered: int, answer: Counts) -> HandedOver:
    sums = {verdict: getattr(held, verdict) + n for verdict, n in answer.counts.items()}
    return replace(held, offered=held.offered + offered, **{str(k): n for k, n in sums.items()})


def _done(aside: Path) -> HandedOver | None:
    marker = aside.with_name(MARKER)
    return HandedOver(**json.loads(marker.read_text())["counts"]) if marker.exists() else None


def _begun(aside: Path, term: int) -> _Progress:
    """How far it came with this leader; from the start with another, or where it can't be read."""
    try:
        found = json.loads(aside.with_name(PROGRESS).read_text())
        progress = _Progress(**{**found, "counts": HandedOver(**found["counts"])})
    except (OSError, ValueError, TypeError, KeyError):
        return _Progress(term)
    return progress if progress.term == term else _Progress(term)


def _finish(aside: Path, progress: _Progress) -> None:
    done = {"to_term": progress.term, "counts": asdict(progress.counts)}
    write_down(aside.with_name(MARKER), done, durable=True)
    aside.with_name(PROGRESS).unlink(missing_ok=True)

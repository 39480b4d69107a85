"""What the spool holds goes to the leader, in order; and leaves once the copy here has it."""

import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from app.ha.caught_up import CatchingUp, LeadersBeat
from app.ha.mirroring import portions
from app.ha.peer import INTERVAL, NotTakenError, Peer
from app.ha.spool import Named, Spool, Spooled
from app.ha.spooled import Answered, Batch, Fate, Kind
from app.leading import Leadership, Role
from app.messages.leading import current, last_beat
from app.settings import Settings
from app.store.database import Connection, DatabaseError, open_copy

log = structlog.get_logger()
PATH: Final = "/api/ha/events"
# A spool holds the last second, or what came while no copy was to be had.
_AT_ONCE: Final = 2000
_LOOK_SECONDS: Final = 0.002


def pass_on(spool: Spool, peer: Peer, term: int, patience: timedelta) -> bool:
    """Hand what waits to the leader, in the order in which it came; False if it doesn't take it.

    One process does so at a time, or two would be in each other's way; ``patience`` is how long to
    wait for the other one, and after which what comes in meanwhile is left to the next time.
    """
    deadline = time.monotonic() + patience.total_seconds()
    after = 0
    while time.monotonic() < deadline:
        with _turn(spool, deadline) as is_ours:
            rows = spool.waiting(after=after) if is_ours else []
            if not rows:
                return is_ours
            if not _hand_over(spool, peer, rows, term):
                return False
            after = rows[-1].row_id  # what was refused stays, and holds up nobody
    return False


def prune(spool: Spool, copy: Path, catching_up: CatchingUp) -> int:
    """Forget what the copy of the leader's database has; how many rows that were.

    And what the leader had so long ago that the copy has seen it: it was never committed there, or
    a guest was erased since. What a leader of an earlier term had, and this one lacks, waits again:
    the database was restored to a moment before. The copy is read by one short look: it may be
    gone, or another one, at any time.
    """
    kept = spool.kept(_AT_ONCE)
    if not kept:
        return 0
    try:
        with closing(open_copy(copy)) as connection:
            # The beat first: what is looked for after it is as new as it, or newer.
            term, beat = current(connection) or 0, last_beat(connection)
            lacking = [one for one in kept if not _has(connection, one)]
    except DatabaseError as error:
        log.info("copy_not_read", reason=type(error).__name__)
        return 0
    if beat is not None:
        catching_up.copied(LeadersBeat(term, beat.beat))
    mark = spool.caught_up()
    again = {one.row_id for one in lacking if one.term < term}
    stay = again | {one.row_id for one in lacking if mark is None or not mark.covers(one)}
    if again:
        log.warning("leader_lacks", rows=len(again), term=term)
        spool.wait_again(again)
    gone = [one.row_id for one in kept if one.row_id not in stay]
    spool.prune(gone)
    return len(gone)


class Forwarder:
    """The node's thread: while this node stands by, it forwards and prunes each second.

    ``copy`` says where the follower's file is, None while there is none; ``leaders_beat`` what the
    leader told just now, None while it isn't heard of.
    """

    def __init__(
        self,
        settings: Settings,
        leadership: Leadership,
        spool: Spool,
        copy: Callable[[], Path | None],
        leaders_beat: Callable[[], LeadersBeat | None],
    ) -> None:
        self._peer = Peer(settings, PATH, leadership)
        self._leadership = leadership
        self._spool = spool
        self._copy = copy
        self._leaders_beat = leaders_beat
        self._catching_up = CatchingUp(spool)
        self._is_stopping = False
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Look at once."""
        self._woken.set()

    def stop(self) -> None:
        """End the thread."""
        self._is_stopping = True
        self._woken.set()
        self._thread.join()
        self._peer.stop()

    def _run(self) -> None:
        while not self._is_stopping:
            self._woken.clear()
            try:
                self._look()
            except (DatabaseError, OSError) as error:
                log.error("forwarding_failed", reason=type(error).__name__)
            self._woken.wait(INTERVAL.total_seconds())
        self._spool.database.close()

    def _look(self) -> None:
        standing = self._leadership.standing()
        if standing.role is not Role.STANDBY:
            return
        # What is posted to a leader that is gone may have arrived, as far as is known, where an
        # edge answers for it: guests would wait for its echo after a takeover.
        if self._spool.count() and self._peer.takes():
            pass_on(self._spool, self._peer, standing.term, INTERVAL)
        self._catching_up.tend(self._leaders_beat())
        if (copy := self._copy()) is not None:
            prune(self._spool, copy, self._catching_up)


@contextmanager
def _turn(spool: Spool, deadline: float) -> Iterator[bool]:
    """Whose turn it is to forward: True once it is ours, False if that isn't so in time."""
    path = spool.database.path
    with path.with_name(f"{path.name}.turn").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    yield False
                    return
                time.sleep(_LOOK_SECONDS)
            else:
                yield True
                return


def _hand_over(spool: Spool, peer: Peer, rows: list[Spooled], term: int) -> bool:
    for part in portions([row.entry for row in rows]):
        now, rows = rows[: len(part)], rows[len(part) :]
        row_ids = [row.row_id for row in now]
        # Before the first byte: whoever is killed meanwhile can't say so afterwards.
        spool.offer(row_ids)
        try:
            answer = peer.post(Batch(term=term, entries=part, in_doubt=_in_doubt(now, term)))
        except NotTakenError as error:
            if not error.is_lost:
                spool.take_back(row.row_id for row in now if not row.offered)
            return False
        _settle(spool, row_ids, Answered.model_validate_json(answer.content), term)
    return True


def _in_doubt(rows: list[Spooled], term: int) -> tuple[int, ...]:
    """Which of them, by their places, an earlier leader had, or may have had."""
    return tuple(place for place, row in enumerate(rows) if row.offered and row.term < term)


def _settle(spool: Spool, row_ids: list[int], answered: Answered, term: int) -> None:
    told = dict(zip(row_ids, answered.told, strict=True))
    refused = [row_id for row_id, one in told.items() if one.fate is Fate.REFUSED]
    if refused:
        log.error("forward_refused", rows=refused, remedy="both nodes need the same release")
    kept = {row_id: one for row_id, one in told.items() if one.fate is not Fate.REFUSED}
    spool.settle(kept, term)


def _has(copy: Connection, row: Named) -> bool:
    """Whether the copy has all that the row brought."""
    return all(copy.execute(_HAS[row.kind], name).fetchone() is not None for name in row.names)


_HAS: Final = {
    Kind.WEBHOOK: "SELECT 1 FROM inbox WHERE source = ? AND event_id = ?",
    Kind.COMMAND: (
        "SELECT 1 FROM commands WHERE (client = ?1 AND idempotency_key = ?2) OR command_id = ?3"
    ),
}

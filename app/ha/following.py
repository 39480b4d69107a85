"""The standby's copy of the leader's database, a moment behind.

It says how far this machine is, and is what is left if the place itself is lost. It is never opened
for writing and never becomes the database: that is restored afresh (`app.ha.restoring`). Where the
place is on the other machine, Litestream follows a place here (`app.ha.local_place`).
"""

import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from app import steady
from app.ha import litestream
from app.ha.child import Child, ChildError, Patience
from app.ha.copies import Copies
from app.ha.copy_watch import CopyWatch
from app.ha.litestream import Place
from app.ha.local_place import LocalPlace
from app.ha.restoring import Reached
from app.messages import leading
from app.settings import Settings
from app.store.damage import is_damage
from app.store.database import DatabaseError, open_copy

# While the place has nothing of the term yet, it ends at once.
_RESTART: Final = (timedelta(seconds=0.5), timedelta(seconds=5))
# How long the copy may stand still before the place is asked whether that is right.
_STILL: Final = (timedelta(seconds=15), timedelta(minutes=5))
_ASK: Final = timedelta(seconds=20)
log = structlog.get_logger()


@dataclass(frozen=True)
class Beat:
    """What the leader last wrote in ``leadership``, as the copy has it; ``at`` is aware."""

    term: int
    beat: int
    at: datetime
    last_event: int


class Following:
    """Litestream, following a term; its files lie in ``directory``, its copies in ``copies``."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._place = litestream.place_of(settings)
        self._database = settings.database.absolute()
        self._directory = directory.absolute()
        # Of the place itself: what it has is asked by it.
        self._config = self._directory / "place.yml"
        self._copies = Copies(self._directory / "copies")
        self._local_places = self._directory / "local"
        self._term: int | None = None
        self._local: LocalPlace | None = None
        self._child: Child | None = None
        self._begun: Path | None = None  # the copy that the one that runs makes
        self._starts = 0
        self._restarts = Patience(*_RESTART)
        self._watch = _Watch()
        self._copy_watch = CopyWatch()
        # It says the same each few seconds while the place has nothing.
        self._told = ""
        self._best: Reached | None = None

    def start(self, term: int) -> None:
        """Follow ``term``, in a new file; returns at once. Raises `LitestreamError`, `ChildError`.

        If the place has nothing of this term yet, :meth:`tend` tries again.
        """
        self.stop(timedelta(seconds=1))
        config = litestream.config_for(self._place, term, self._database)
        litestream.write_config(self._config, config)
        self._term = term
        self._restarts.won()
        self._watch, self._told, self._best = _Watch(), "", None
        self._begin(term)
        log.info("following", term=term)

    def tend(self) -> None:
        """Each second: start again what ended, or what stands still while the place goes on.

        Paused for longer than the place keeps the pieces, Litestream may wait for them for ever.
        """
        if self._term is None:
            return
        if self._child is None:
            self._await_local(self._term)
            return
        if not self._child.is_alive():
            self._begin_again(self._term, self._child)
            return
        txid = self.txid()
        if txid is not None:
            self._copies.forget_older()
            if self._local is not None and self.copy() == self._begun:
                self._local.forget(txid)
        copy = self.copy()
        if copy is not None and self._copy_watch.is_damaged(copy):
            log.error("copy_damaged", term=self._term, txid=txid)
            self.stop(timedelta(seconds=1))
            self._copies.forget(copy)
            self._begin(self._term)
            return
        if self._watch.is_behind(txid, self._fetched(), self._newest):
            log.warning("following_stalled", term=self._term, txid=txid)
            self.stop(timedelta(seconds=1))
            self._begin(self._term)

    def stop(self, within: timedelta) -> None:
        """End it, ``kill -9`` after ``within``. The copy stays, until the next start."""
        if self._child is not None:
            self._child.stop(within)
            self._child = None
        if self._local is not None:
            self._local.stop()
            self._local = None
        shutil.rmtree(self._local_places, ignore_errors=True)

    def is_alive(self) -> bool:
        """Whether Litestream runs."""
        return self._child is not None and self._child.is_alive()

    def copy(self) -> Path | None:
        """The copy, once it is whole."""
        return None if self._term is None else self._copies.newest(self._term)

    def txid(self) -> int | None:
        """The newest transaction in the copy."""
        copy = self.copy()
        return None if copy is None else self._copies.txid(copy)

    def beat(self) -> Beat | None:
        """The newest beat in the copy; None: no copy, or no beat in it yet.

        A short look: whoever keeps the copy open keeps Litestream from writing to it.
        """
        copy = self.copy()
        if copy is None:
            return None
        before = self._copies.txid(copy)
        try:
            with closing(open_copy(copy)) as connection:
                connection.execute("BEGIN")
                term, beat = leading.current(connection), leading.last_beat(connection)
        except DatabaseError as error:
            # It is being written, by a program that waits for us no longer than we for it.
            if is_damage(error):
                self._copy_watch.look_now()
            return None
        if term is None or beat is None:
            return None
        if before is not None and (self._best is None or beat.beat > self._best.beat):
            self._best = Reached(beat.beat, before)
        return Beat(term, beat.beat, beat.beat_at, beat.last_event)

    @property
    def best(self) -> Reached | None:
        """How far the copy has been in this term: further than it is, where it went back since."""
        return self._best

    def _begin(self, term: int) -> None:
        """Anew: a restart on the same file fails, so each has its own."""
        self._begun = self._copies.anew(term)
        if self._place.host is None:
            self._begin_litestream(self._place, term, self._begun)
            return
        self._starts += 1
        here = self._local_places / str(self._starts)
        self._local = LocalPlace(self._place, term, self._database, here)
        self._local.start()

    def _await_local(self, term: int) -> None:
        if self._local is None or self._begun is None:
            return
        # It is told that something is on its way, and so for how long.
        self._watch.is_behind(None, self._fetched(), self._newest)
        if self._local.is_ready:
            self._begin_litestream(self._local.here, term, self._begun)

    def _begin_litestream(self, place: Place, term: int, copy: Path) -> None:
        config = self._directory / "following.yml"
        litestream.write_config(config, litestream.config_for(place, term, self._database))
        command = [litestream.program(), "restore", "-config", str(config)]
        follow = ["-no-expand-env", "-f", "-follow-interval", litestream.FOLLOW_INTERVAL]
        self._child = Child(
            "following",
            self._directory,
            [*command, *follow, "-o", str(copy), str(self._database)],
            litestream.ENV,
            self._directory / "following.log",
        )
        self._child.start()

    def _begin_again(self, term: int, child: Child) -> None:
        if not self._restarts.is_over():
            return
        words = child.last_words()
        if words != self._told:
            log.info("following_ended", term=term, code=child.ended(), words=words)
            self._told = words
        self._restarts.lost()
        self.stop(timedelta(seconds=1))
        with suppress(ChildError):
            self._begin(term)

    def _fetched(self) -> tuple[int, int]:
        """The number of the copy begun last, and how many bytes of it are here; 0: it is whole."""
        number, size = self._copies.fetched()
        if self._local is None:
            return number, size
        return self._starts, size + self._local.under_way()

    def _newest(self) -> int | None:
        return litestream.newest(self._config, self._database, _ASK)


class _Watch:
    """Whether the copy stands still although the place has more.

    Neither does while a new one is on its way: each start fetches the whole database. So what that
    took is waited for, too, or a slow line would have it fetched again and again.
    """

    def __init__(self) -> None:
        self._patience = Patience(*_STILL)
        self._seen: tuple[int | None, tuple[int, int]] | None = None  # txid, what is fetched
        self._number = 0
        self._began = steady.now()
        self._asking = ThreadPoolExecutor(1, "following")
        self._asked: Future[int | None] | None = None

    def is_behind(
        self, txid: int | None, fetched: tuple[int, int], newest: Callable[[], int | None]
    ) -> bool:
        """Whether to start anew. ``newest`` may take seconds: it is asked beside, and seldom."""
        if txid is None or (txid, fetched) != self._seen:
            self._goes_on(txid, fetched)
            return False
        if not self._patience.is_over():
            return False
        if self._asked is None:
            self._asked = self._asking.submit(newest)
            return False
        if not self._asked.done():
            return False
        found, self._asked = self._asked.result(), None
        self._patience.lost()
        return found is not None and found > txid

    def _goes_on(self, txid: int | None, fetched: tuple[int, int]) -> None:
        number, so_far = fetched
        if number != self._number:
            self._number, self._began = number, steady.now()
        if so_far or self._seen is None or self._seen[1] != fetched:
            fetching = timedelta(seconds=steady.now() - self._began)
            self._patience = Patience(min(max(_STILL[0], fetching), _STILL[1]), _STILL[1])
        self._seen, self._asked = (txid, fetched), None
        self._patience.won()
        self._patience.lost()

"""A place here for Litestream to follow, where the term's own is on the other machine.

First what a copy is made of is brought, then each new piece as it is written. Nothing is listed for
that: the next one's name is known. What the copy has by then is deleted.
"""

import asyncio
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

import asyncssh
import structlog
from tenacity import (
    Retrying,
    sleep_using_event,
    stop_when_event_set,
    wait_exponential,
)

from app.ha import litestream
from app.ha.copies import size_of
from app.ha.litestream import Place
from app.ha.pieces import Piece, bring, bring_one, connected, needed, of_transaction

# How often the next piece is asked for: twice as often as Litestream then looks.
_POLL: Final = timedelta(milliseconds=250)
# Once one is there, so many more are asked for at once: a line of 25 ms brings 100 a second.
_AHEAD: Final = 16
_AGAIN: Final = wait_exponential(multiplier=0.5, max=5)  # in seconds
# It hangs on nothing that isn't bounded; a thread that takes longer ends by itself.
_STOP: Final = 1.0
log = structlog.get_logger()


class LocalPlace:
    """The thread that brings ``term`` of ``place`` to ``here``, a directory of its own."""

    def __init__(self, place: Place, term: int, database: Path, here: Path) -> None:
        self.here = Place(str(here))
        self._place = place
        self._term = term
        self._database = database
        self._pieces = Path(self.here.of_term(term))
        self._next: int | None = None
        self._told = ""
        self._stopping = threading.Event()
        self._working: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None
        self._thread = threading.Thread(target=self._run, name="local-place", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._stopping.set()
        if self._working is not None:
            loop, task = self._working
            with suppress(RuntimeError):  # it has just ended by itself
                loop.call_soon_threadsafe(task.cancel)
        self._thread.join(_STOP)

    @property
    def is_ready(self) -> bool:
        """Whether all is here that a copy is made of."""
        return self._next is not None

    def under_way(self) -> int:
        """How many bytes are here that nothing can be done with yet."""
        found = self._pieces.rglob("*" if self._next is None else "new/*")
        return sum(size_of(path) for path in found)

    def forget(self, txid: int) -> None:
        """Delete what a copy that has come to ``txid`` needs no more."""
        for path in self._pieces.glob("ltx/*/*.ltx"):
            if Piece(int(path.parent.name), path.name).last <= txid:
                path.unlink(missing_ok=True)

    def _run(self) -> None:
        config = Path(f"{self.here.path}.yml")
        for attempt in Retrying(
            wait=_AGAIN,
            stop=stop_when_event_set(self._stopping),
            sleep=sleep_using_event(self._stopping),
            retry_error_callback=lambda _: None,
        ):
            with attempt:
                try:
                    self._session(config)
                except Exception as error:  # whatever it came to, it is tried again
                    self._tell(f"{type(error).__name__}: {error}")
                    raise

    def _session(self, config: Path) -> None:
        """As long as a connection holds."""
        pieces: list[Piece] = []
        if self._next is None:
            litestream.write_config(
                config, litestream.config_for(self._place, self._term, self._database)
            )
            pieces = needed(config, self._database)
        if not self._stopping.is_set():
            with suppress(asyncio.CancelledError):
                asyncio.run(self._work(pieces))

    async def _work(self, pieces: list[Piece]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._working = asyncio.get_running_loop(), task
        try:
            async with connected(self._place) as sftp:
                if pieces:
                    await bring(sftp, self._there, pieces, self._pieces)
                    self._next = 1 + max(piece.last for piece in pieces)
                await self._go_on(sftp)
        finally:
            self._working = None

    async def _go_on(self, sftp: asyncssh.SFTPClient) -> None:
        while not self._stopping.is_set():
            if not await self._bring_next(sftp, 1):
                await asyncio.sleep(_POLL.total_seconds())
                continue
            while await self._bring_next(sftp, _AHEAD) == _AHEAD:
                pass

    async def _bring_next(self, sftp: asyncssh.SFTPClient, count: int) -> int:
        """How many of the next ``count`` pieces there are by now, and are here."""
        assert self._next is not None
        pieces = [of_transaction(self._next + ahead) for ahead in range(count)]
        found = await asyncio.gather(*(self._bring_if_there(sftp, piece) for piece in pieces))
        here = found.index(False) if False in found else count
        self._next += here
        return here

    async def _bring_if_there(self, sftp: asyncssh.SFTPClient, piece: Piece) -> bool:
        with suppress(asyncssh.SFTPNoSuchFile):
            await bring_one(sftp, self._there, piece, self._pieces)
            return True
        return False

    @property
    def _there(self) -> str:
        return self._place.of_term(self._term)

    def _tell(self, words: str) -> None:
        """It says the same each few seconds while the place has nothing, or can't be reached."""
        if words != self._told:
            log.info("local_place_interrupted", term=self._term, words=words.strip())
            self._told = words

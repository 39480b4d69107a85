"""The leader's database is copied to the other machine, 100 ms behind."""

import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import structlog

from app import steady
from app.ha import litestream
from app.ha.child import Child, ChildError, Patience
from app.settings import Settings
from app.store import checkpoints
from app.store.database import DatabaseError

# What a socket's path may be long, with its zero: 104 on macOS, 108 on Linux.
_LONGEST: Final = 103
_ASK: Final = 1.0
# A try at a restart (it ends at once while the place can't be reached), and a place that takes
# nothing although it answers.
_RESTART: Final = (timedelta(seconds=1), timedelta(seconds=10))
_SILENCE: Final = (timedelta(seconds=10), timedelta(minutes=30))
_PROBE: Final = timedelta(seconds=5)
# A leader writes each second: after so long without a new transaction Litestream is asked why.
_STILL: Final = (timedelta(seconds=2), timedelta(minutes=1))
log = structlog.get_logger()


@dataclass(frozen=True)
class Synced:
    """After a sync: the newest transaction here, and at the place."""

    txid: int
    replica_txid: int

    @property
    def is_whole(self) -> bool:
        """Whether the place has all."""
        return self.replica_txid >= self.txid


@dataclass(frozen=True)
class Position:
    """The newest transaction that Litestream knows, and when the place last took some (aware)."""

    txid: int
    synced_at: datetime | None


class SyncError(Exception):
    """The place doesn't have all that was written; the message says why."""


class FailedError(SyncError):
    """Litestream answers that it can't; the message is its own."""


class Replicating:
    """Litestream, replicating the database of ``settings``; its files lie in ``directory``."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._place = litestream.place_of(settings)
        self._database = settings.database.absolute()
        self._directory = directory.absolute()
        self._config = self._directory / "replicating.yml"
        self._child: Child | None = None
        self._asking: httpx.Client | None = None
        self._own: Path | None = None
        self._restarts = Patience(*_RESTART)
        self._watch = _Watch()
        self._still = Patience(*_STILL)
        self._taken = 0

    def start(self, term: int) -> None:
        """Replicate to the path of ``term``; what ran before is ended, within seconds.

        Raises `LitestreamError`, `ChildError`.
        """
        self.stop(timedelta(seconds=1))
        control = self._control()
        litestream.write_config(
            self._config, litestream.config_for(self._place, term, self._database, control)
        )
        command = [litestream.program(), "replicate", "-config", str(self._config)]
        self._child = Child(
            "replicating",
            self._directory,
            [*command, "-no-expand-env"],
            litestream.ENV,
            self._directory / "replicating.log",
        )
        self._asking = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(control)),
            base_url="http://litestream",
            timeout=_ASK,
        )
        self._restarts.won()
        self._watch = _Watch()
        self._begin(self._child)
        log.info("replicating", term=term)

    def tend(self) -> None:
        """Each second: start it again if it ended, if it lost its place in the database's log, or
        if it sleeps though the place answers again.

        After errors Litestream waits up to five minutes, whatever the place does meanwhile.
        """
        if self._child is None:
            return
        if not self._child.is_alive():
            self._begin_again(self._child)
            return
        position = self.position()
        if position is None:
            return
        if (why := self._lost_its_place(position)) is not None:
            log.warning("replicating_lost_its_place", txid=position.txid, words=why)
            self._restart(self._child, truncate=True)
        elif self._watch.is_silent(position, self._place):
            log.warning("replicating_silent", txid=position.txid, words=self._child.last_words())
            self._restart(self._child)

    def stop(self, within: timedelta) -> None:
        """End it, ``kill -9`` after ``within``: the rest stays in the local file."""
        child, self._child = self._child, None
        if child is not None:
            child.stop(within)
        if self._asking is not None:
            self._asking.close()
            self._asking = None
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            self._own = None

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._child is not None and self._child.is_alive()

    def sync(self, timeout: timedelta) -> Synced:
        """Wait until the place has all that is written now. Raises :class:`SyncError`."""
        seconds = max(1, round(timeout.total_seconds()))
        told = {"path": str(self._database), "wait": True, "timeout": seconds}
        found = self._ask("POST", "/sync", seconds + _ASK, json=told)
        return Synced(found["txid"], found["replicated_txid"])

    def position(self) -> Position | None:
        """How far it is (two questions to its socket, a millisecond); None: it doesn't say."""
        try:
            txid = self._ask("GET", "/txid", _ASK, params={"path": str(self._database)})["txid"]
            (known,) = self._ask("GET", "/list", _ASK)["databases"]
        except SyncError:
            return None
        at = known.get("last_sync_at")
        return Position(txid, datetime.fromisoformat(at) if at else None)

    def _lost_its_place(self, position: Position) -> str | None:
        """Why Litestream takes nothing more of what is written, in its words; None: it does.

        It reads the log past what SQLite holds for committed. Who is killed between a commit's
        pages and its mark in ``-shm`` leaves pages there that the next one writes over; Litestream
        0.5.17 then makes a snapshot without the log, and fails until the log is a new one.
        """
        if position.txid != self._taken:
            self._taken = position.txid
            self._still.won()
            self._still.lost()
            return None
        if not self._still.is_over():
            return None
        try:
            self._ask("POST", "/sync", _ASK, json={"path": str(self._database), "wait": False})
        except FailedError as error:
            self._still.lost()
            return str(error)
        except SyncError:
            pass  # it may be busy with much: no reason to begin anew
        return None

    def _restart(self, child: Child, *, truncate: bool = False) -> None:
        child.stop(timedelta(seconds=1))
        if truncate:
            self._truncate()
        self._begin(child)

    def _truncate(self) -> None:
        try:
            if not checkpoints.truncate(self._database):
                log.warning("log_not_truncated", reason="others use it: tried again")
        except DatabaseError as error:
            log.error("log_not_truncated", reason=str(error))

    def _begin(self, child: Child) -> None:
        self._watch.restarted()
        child.start()

    def _begin_again(self, child: Child) -> None:
        if not self._restarts.is_over():
            return
        log.warning("replicating_ended", code=child.ended(), words=child.last_words())
        self._restarts.lost()
        with suppress(ChildError):
            self._begin(child)

    def _control(self) -> Path:
        """Where its socket is: beside the other files, unless the path is longer than it may be."""
        near = self._directory / "litestream.sock"
        if len(os.fsencode(near)) <= _LONGEST:
            return near
        self._own = Path(tempfile.mkdtemp(prefix="portiere-"))
        return self._own / "litestream.sock"

    def _ask(self, method: str, path: str, seconds: float, **told: Any) -> Any:
        if self._asking is None or self._child is None:
            raise SyncError("the database isn't being replicated")
        if not self._child.is_alive():
            raise SyncError(f"litestream has ended: {self._child.last_words()}")
        try:
            answer = self._asking.request(method, path, timeout=seconds, **told)
        except httpx.HTTPError as error:
            raise SyncError(f"litestream doesn't answer ({type(error).__name__})") from error
        if answer.is_error:
            raise FailedError(f"litestream: {answer.text.strip()}")
        return answer.json()


class _Watch:
    """Whether the place takes nothing, although there is something and it answers."""

    def __init__(self) -> None:
        self._patience = Patience(*_SILENCE)
        self._synced_at: datetime | None = None
        self._txid = 0
        self._look = steady.now()

    def restarted(self) -> None:
        """Wait again, and twice as long if that alone doesn't help: it may be a large upload."""
        self._patience.lost()
        self._synced_at = None

    def is_silent(self, position: Position, place: litestream.Place) -> bool:
        """Whether to start the program again."""
        if position.synced_at != self._synced_at or position.txid <= self._txid:
            self._synced_at, self._txid = position.synced_at, position.txid
            self._patience.won()
            self._patience.lost()
            return False
        if not self._patience.is_over() or steady.now() < self._look:
            return False
        # Asked only then, and seldom: a line that is cut lets it wait.
        self._look = steady.now() + _PROBE.total_seconds()
        return place.answers()

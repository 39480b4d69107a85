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

# What a socket's path may be long, with its zero: 104 on macOS, 108 on Linux.
_LONGEST: Final = 103
_ASK: Final = 1.0
# A try at a restart (it ends at once while the place can't be reached), and a place that takes
# nothing although it answers.
_RESTART: Final = (timedelta(seconds=1), timedelta(seconds=10))
_SILENCE: Final = (timedelta(seconds=10), timedelta(minutes=30))
_PROBE: Final = timedelta(seconds=5)
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
        """Each second: start it again if it ended, or if it sleeps though the place answers again.

        After errors Litestream waits up to five minutes, whatever the place does meanwhile.
        """
        if self._child is None:
            return
        if not self._child.is_alive():
            self._begin_again(self._child)
            return
        position = self.position()
        if position is None or not self._watch.is_silent(position, self._place):
            return
        log.warning("replicating_silent", txid=position.txid, words=self._child.last_words())
        self._child.stop(timedelta(seconds=1))
        self._begin(self._child)

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
            raise SyncError(f"litestream: {answer.text.strip()}")
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

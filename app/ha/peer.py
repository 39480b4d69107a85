"""The other node's gateway: asked over the link, and failing that by its public name.

Whether it takes what is posted to it is found out each second, so that hardly any request finds out
by waiting. All that is posted may be posted again: it is taken once.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

import httpx
import structlog

from app.ha.spooled import Batch
from app.leading import Leadership
from app.settings import Settings
from app.signing import SignedAuth

log = structlog.get_logger()
INTERVAL: Final = timedelta(seconds=1)
# A connection is made in a round trip or three; the gateway keeps it for longer than this.
_KEPT_SECONDS: Final = 60
_JSON: Final = {"Content-Type": "application/json"}
# What these end never left this machine.
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# What a connection comes to that was ended while it was idle: another one may do.
_ENDED: Final = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


class NotTakenError(Exception):
    """The other node didn't take it, or not as far as is known; ``is_lost``: it may have."""

    def __init__(self, reason: str, *, is_lost: bool) -> None:
        super().__init__(reason)
        self.is_lost = is_lost


class Peer:
    """The other node, for what is posted to ``path``; within ``ha_mirror_timeout`` by all ways."""

    def __init__(
        self,
        settings: Settings,
        path: str,
        leadership: Leadership,
        on_change: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._path = path
        self._on_change = on_change
        self._leadership = leadership
        auth = SignedAuth(settings.node_name, settings.ha_key_bytes)
        patience = settings.ha_mirror_timeout.total_seconds() / len(settings.peer_urls)
        limits = httpx.Limits(keepalive_expiry=_KEPT_SECONDS)
        self._clients = [
            httpx.Client(base_url=url, auth=auth, timeout=patience, limits=limits)
            for url in settings.peer_urls
        ]
        self._way = 0
        self._is_up = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"peer {path}", daemon=True)

    @property
    def is_up(self) -> bool:
        """Whether it took what was posted last."""
        return self._is_up

    def start(self) -> None:
        """Look each second from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more, and close the connections."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        for client in self._clients:
            client.close()

    def post(self, batch: Batch) -> httpx.Response:
        """The answer of a node that took it (2xx). Raises :class:`NotTakenError`."""
        try:
            response = self._by_any_way(_encoded(batch))
        except NotTakenError as error:
            self._note(False, str(error))
            raise
        self._note(True, "")
        return response

    def takes(self) -> bool:
        """Whether it takes what is posted to it: asked now, with nothing at stake."""
        try:
            self.post(self._empty())
        except NotTakenError:
            return False
        return True

    def _by_any_way(self, body: bytes) -> httpx.Response:
        failures, is_lost = [], False
        for way in self._ways():
            try:
                response = self._by(way, body)
            except _NEVER_SENT as error:
                failures.append(type(error).__name__)
                continue
            except httpx.HTTPError as error:
                failures.append(type(error).__name__)
                is_lost = True
                continue
            if response.is_success:
                self._way = way
                return response
            failures.append(f"HTTP {response.status_code}")
            if response.status_code < 500:  # its own word, which it gives by any way
                break
            is_lost = True
        raise NotTakenError(", ".join(failures), is_lost=is_lost)

    def _ways(self) -> Iterator[int]:
        """The one that worked last, then the others."""
        last = self._way
        yield last
        yield from (way for way in range(len(self._clients)) if way != last)

    def _by(self, way: int, body: bytes) -> httpx.Response:
        try:
            return self._clients[way].post(self._path, content=body, headers=_JSON)
        except _ENDED:
            return self._again(way, body)

    def _again(self, way: int, body: bytes) -> httpx.Response:
        try:
            return self._clients[way].post(self._path, content=body, headers=_JSON)
        except _NEVER_SENT as error:
            # The first attempt may have arrived.
            raise httpx.ReadError(f"ended, then {type(error).__name__}") from None

    def _note(self, is_up: bool, reason: str) -> None:
        if is_up == self._is_up:
            return
        self._is_up = is_up
        self._on_change(is_up)
        if is_up:
            log.info("peer_up", path=self._path)
        else:
            log.warning("peer_down", path=self._path, reason=reason)

    def _run(self) -> None:
        while True:
            # The first way is the better one: tried first again, whatever worked last.
            self._way = 0 if self._is_back(0) else self._way
            self.takes()
            if self._stopping.wait(INTERVAL.total_seconds()):
                return

    def _is_back(self, way: int) -> bool:
        if self._way == way:
            return False
        try:
            return self._by(way, _encoded(self._empty())).is_success
        except httpx.HTTPError:
            return False

    def _empty(self) -> Batch:
        return Batch(term=self._leadership.standing().term, entries=())


def _encoded(batch: Batch) -> bytes:
    # What is as always isn't said: a node of an earlier release doesn't know all of it.
    return batch.model_dump_json(exclude_defaults=True).encode()

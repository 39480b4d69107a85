"""The leader's copies: what its door takes is on the other node, too, before it is answered.

Each group that is committed together goes as one request, while it is being committed. If the other
node doesn't take it, the group is accepted here alone, and so is all that follows, without asking,
until the other node takes something again.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from prometheus_client import Counter, Gauge

from app.ha.peer import NotTakenError, Peer
from app.ha.spooled import MANY, MOST_IN_ONE, Batch, Entry
from app.leading import Leadership
from app.settings import Settings

PATH: Final = "/api/ha/mirror"
# By the other node's name: without one they are not shown at all.
ALONE: Final = Counter(
    "portiere_accepted_alone",
    "Requests with events or commands accepted while the other node didn't take its copy.",
    ("peer",),
    registry=None,
)
UP: Final = Gauge(
    "portiere_mirror_up",
    "Whether the other node takes its copy of what is accepted.",
    ("peer",),
    registry=None,
    multiprocess_mode="livemin",
)
COUNTED: Final = (ALONE, UP)


class Mirror:
    """The copies on the other node of ``settings``."""

    def __init__(self, settings: Settings, leadership: Leadership) -> None:
        up = UP.labels(settings.ha_peer)
        up.set(True)
        self._alone = ALONE.labels(settings.ha_peer)
        self._peer = Peer(settings, PATH, leadership, up.set)
        self._leadership = leadership
        self._sending = ThreadPoolExecutor(1, "mirror")

    def start(self) -> None:
        """Look each second whether the other node takes copies."""
        self._peer.start()

    def stop(self) -> None:
        """Send what is in hand, and end."""
        self._sending.shutdown()
        self._peer.stop()

    def begin(self, entries: Sequence[Entry]) -> Callable[[], None]:
        """Begin to send copies; what is returned waits until they are there, or can't be."""
        if not self._peer.is_up:
            self._alone.inc(len(entries))
            return _nothing
        return self._sending.submit(self._send, entries).result

    def _send(self, entries: Sequence[Entry]) -> None:
        term = self._leadership.standing().term
        sent = 0
        try:
            for part in portions(entries):
                self._peer.post(Batch(term=term, entries=part))
                sent += len(part)
        except NotTakenError:
            self._alone.inc(len(entries) - sent)


def portions(entries: Sequence[Entry]) -> Iterator[tuple[Entry, ...]]:
    """In order, each of a size that one request may have."""
    part: list[Entry] = []
    size = 0
    for entry in entries:
        if part and (size + len(entry.body) > MOST_IN_ONE or len(part) == MANY):
            yield tuple(part)
            part, size = [], 0
        part.append(entry)
        size += len(entry.body)
    if part:
        yield tuple(part)


def _nothing() -> None:
    """Nothing to wait for."""

"""Watching the others: is each peer up, over the link and by its public name?

One answer tells little on a line that flaps: a peer is down after three failures in a row and up
again after two good ones. A change is one alert.
"""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
import structlog

from app.conversation import alerting
from app.conversation.alerting import Alert
from app.conversation.language import Language
from app.messages import peers
from app.messages.alerts import Alerts
from app.messages.peers import Checked, Peer, PeerState
from app.settings_peers import PeerAddress
from app.store.database import Connection, Database, DatabaseError, to_ms

log = structlog.get_logger()
INTERVAL: Final = timedelta(seconds=30)
# For each step of asking; all of them at once may take no longer than until the next time.
TIMEOUT: Final = timedelta(seconds=5)
DOWN_AFTER: Final = 3
UP_AFTER: Final = 2


class Watching:
    """The thread that asks each of ``addresses`` every ``interval``."""

    def __init__(
        self,
        addresses: Sequence[PeerAddress],
        database: Database,
        alerts: Alerts,
        language: Language,
        interval: timedelta = INTERVAL,
    ) -> None:
        self._addresses = addresses
        self._database = database
        self._alerts = alerts
        self._language = language
        self._interval = interval
        self._client = httpx.Client(timeout=TIMEOUT.total_seconds(), follow_redirects=False)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watching", daemon=True)

    def start(self) -> None:
        """Start the thread; the first look is at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a look under way is finished first."""
        self._stopping.set()
        self._thread.join()
        self._client.close()

    def look(self) -> None:
        """Ask all of them, one after the other, and write down what was found."""
        for address in self._addresses:
            if self._stopping.is_set():
                return
            self._note(address, check(self._client, address.url))

    def _note(self, address: PeerAddress, checked: Checked) -> None:
        with self._database.transaction(durable=False) as connection:
            before = peers.find(connection, address.name, address.path)
            now = judge(before, address, checked, datetime.now(UTC))
            peers.keep(connection, now)
            alert = _alert(before, now)
            if alert is not None:
                self._tell(connection, now, alert)
        if before is None or before.state is not now.state:
            found = {"peer": now.name, "path": now.path, "state": now.state, "note": now.note}
            log.warning("peer_changed", **found)

    def _tell(self, connection: Connection, peer: Peer, alert: Alert) -> None:
        self._alerts.raise_alert(
            connection,
            key=f"{alert}:{peer.name}:{peer.path}:{to_ms(peer.since)}",
            kind=alert,
            guest=None,
            text=alerting.text(alert, self._language, who=peer.name, path=peer.path),
        )

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                self.look()
            except DatabaseError as error:
                log.error("watching_failed", reason=str(error))
            took = time.monotonic() - began
            if self._stopping.wait(max(0.0, self._interval.total_seconds() - took)):
                return


def check(client: httpx.Client, url: str) -> Checked:
    """Ask for ``url``/health: good is an answer of 200, whatever it says."""
    began = time.perf_counter()
    try:
        answer = client.get(f"{url}/health")
    except httpx.HTTPError as error:
        return Checked(None, type(error).__name__)
    if answer.status_code != httpx.codes.OK:
        return Checked(None, f"answered {answer.status_code}")
    return Checked(timedelta(seconds=time.perf_counter() - began), None)


def judge(before: Peer | None, address: PeerAddress, checked: Checked, now: datetime) -> Peer:
    """How a peer stands after ``checked``, at ``now`` (aware)."""
    state = before.state if before else PeerState.UNKNOWN
    seen = PeerState.UP if checked.latency is not None else PeerState.DOWN
    in_a_row = 0 if seen is state else _in_a_row(before, seen) + 1
    if in_a_row >= (UP_AFTER if seen is PeerState.UP else DOWN_AFTER):
        state, in_a_row = seen, 0
    is_new = before is None or before.state is not state
    return Peer(
        name=address.name,
        path=address.path,
        state=state,
        since=now if is_new or before is None else before.since,
        checked_at=now,
        in_a_row=in_a_row if seen is PeerState.UP else -in_a_row,
        latency=checked.latency,
        note=checked.note,
    )


def _in_a_row(before: Peer | None, seen: PeerState) -> int:
    """How often ``seen`` was seen just before, against the state that stands."""
    count = before.in_a_row if before else 0
    return max(0, count if seen is PeerState.UP else -count)


def _alert(before: Peer | None, now: Peer) -> Alert | None:
    """That a peer is up as we begin to watch it is no news."""
    was = before.state if before else PeerState.UNKNOWN
    if was is now.state:
        return None
    if now.state is PeerState.DOWN:
        return Alert.PEER_DOWN
    return Alert.PEER_UP if was is PeerState.DOWN else None

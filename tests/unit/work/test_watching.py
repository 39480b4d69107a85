"""Watching a peer that flaps: down after three failures in a row, up after two good answers."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation.language import Language
from app.messages import peers
from app.messages.peers import Checked, Peer, PeerState
from app.settings_peers import PeerAddress
from app.work.desk import Desk
from app.work.watching import DOWN_AFTER, UP_AFTER, Watching, judge
from tests.support.processes import eventually, free_port

VPS = PeerAddress("vps", "link", "http://127.0.0.1:1")
GOOD, BAD = Checked(timedelta(milliseconds=3), None), Checked(None, "ConnectError")


class FlappingPeer(ThreadingHTTPServer):
    """Answers /health with whatever status it is given."""

    status = 200
    asked = 0


class _Handler(BaseHTTPRequestHandler):
    server: FlappingPeer

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:  # its own lines say nothing here
        pass


@pytest.fixture
def peer() -> Iterator[FlappingPeer]:
    with FlappingPeer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def watching(desk: Desk, *urls: str, interval: float = 30) -> Watching:
    addresses = [PeerAddress("vps", path, url) for path, url in zip(("link", "public"), urls)]  # noqa: B905 - one may be left out
    return Watching(addresses, desk.database, desk.alerts, Language.EN, timedelta(seconds=interval))


def told(desk: Desk) -> list[str]:
    return [row["kind"] for row in desk.database.all("SELECT kind FROM alerts ORDER BY id")]


def state(desk: Desk, path: str = "link") -> PeerState:
    found = peers.find(desk.database.connection, "vps", path)
    assert found is not None
    return found.state


def test_a_peer_that_flaps_is_told_of_once_each_way(desk: Desk, peer: FlappingPeer) -> None:
    looks = watching(desk, f"http://127.0.0.1:{peer.server_port}")
    seen = []
    for answer in (200, 200, 500, 200, 500, 500, 200, 500, 500, 500, 500, 200, 500, 200, 200, 200):
        peer.status = answer
        looks.look()
        seen.append(state(desk))
    up, down = PeerState.UP, PeerState.DOWN
    assert seen == [PeerState.UNKNOWN, *[up] * 8, *[down] * 5, up, up]
    assert told(desk) == ["peer_down", "peer_up"]


def test_each_path_stands_for_itself(desk: Desk, peer: FlappingPeer) -> None:
    looks = watching(
        desk, f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{peer.server_port}"
    )
    for _ in range(DOWN_AFTER):
        looks.look()
    assert state(desk) is PeerState.DOWN
    assert state(desk, "public") is PeerState.UP
    assert told(desk) == ["peer_down"]


def test_the_thread_looks_again_and_again(desk: Desk, peer: FlappingPeer) -> None:
    looks = watching(desk, f"http://127.0.0.1:{peer.server_port}", interval=0.01)
    looks.start()
    eventually(lambda: peer.asked > 5, "it has looked five times")
    looks.stop()
    assert state(desk) is PeerState.UP


@given(st.lists(st.booleans(), max_size=40))
def test_the_state_changes_only_on_enough_in_a_row(answers: list[bool]) -> None:
    stands: Peer | None = None
    now = datetime(2026, 11, 24, tzinfo=UTC)
    for number, good in enumerate(answers, 1):
        before = stands.state if stands else PeerState.UNKNOWN
        stands = judge(stands, VPS, GOOD if good else BAD, now)
        needed = UP_AFTER if good else DOWN_AFTER
        last = answers[max(0, number - needed) : number]
        agreed = len(last) == needed and set(last) == {good}
        seen = PeerState.UP if good else PeerState.DOWN
        assert stands.state is (seen if agreed else before)

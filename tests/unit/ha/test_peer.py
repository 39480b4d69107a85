"""Asking the other node: by which way, and whether it may have got what it didn't answer."""

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.ha.peer import NotTakenError, Peer
from app.ha.spooled import Batch
from app.leading import Alone
from app.settings import Settings
from tests.support.processes import PROPERTY, free_port

EMPTY = Batch(term=1, entries=())
KEY = base64.b64encode(b"h" * 32).decode()


class _Server(HTTPServer):
    """A gateway that does one thing; counts what it got."""

    def __init__(self, answer: Callable[["_Handler"], None]) -> None:
        self.answer = answer
        self.got = 0
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got += 1
        self.server.answer(self)

    def log_request(self, *_: object) -> None:
        """Nothing."""


def status(code: int) -> Callable[[_Handler], None]:
    """Answers with this."""

    def answer(handler: _Handler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def hang_up(handler: _Handler) -> None:
    """Takes it and says nothing."""
    handler.close_connection = True


@contextmanager
def serving(*answers: Callable[[_Handler], None]) -> Iterator[list[_Server]]:
    """A server for each."""
    with ExitStack() as running:
        servers = [_Server(answer) for answer in answers]
        for server in servers:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            running.callback(server.server_close)
            running.callback(server.shutdown)
        yield servers


def settings_of(*urls: str) -> Settings:
    """Those of a node whose other one is at these addresses."""
    return Settings.model_validate(
        {
            "node_name": "mac",
            "database": Path("unused.db"),
            "seal_keys": f"k1:{KEY}",
            "index_key": KEY,
            "spoki_api_key": "invented-key",
            "spoki_webhook_secret": "invented-secret",
            "property_file": PROPERTY,
            "ha_authority": "http://authority.example.invalid",
            "ha_peer": "vps",
            "ha_peer_urls": ",".join(urls),
            "ha_key": KEY,
            "ha_replica": "file:///unused",
            "ha_redis_admin_url": "redis://127.0.0.1:1/0",
            "ha_redis_peer": "127.0.0.1:1",
            "ha_mirror_timeout": timedelta(seconds=2),
        }
    )


@contextmanager
def asking(*urls: str) -> Iterator[Peer]:
    """The other node at these addresses."""
    peer = Peer(settings_of(*urls), "/api/ha/mirror", Alone())
    try:
        yield peer
    finally:
        peer.stop()


def nobody() -> str:
    """An address where nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


def test_the_first_way_that_works_is_kept_to() -> None:
    with serving(status(200)) as (server,), asking(nobody(), server.url) as peer:
        assert peer.post(EMPTY).status_code == 200
        assert peer.post(EMPTY).status_code == 200
        assert peer.is_up
        assert server.got == 2


@pytest.mark.parametrize(
    ("answer", "is_lost"), [(status(409), False), (status(401), False), (status(503), True)]
)
def test_what_it_says_is_known(answer: Callable[[_Handler], None], is_lost: bool) -> None:
    with serving(answer) as (server,), asking(server.url) as peer:
        with pytest.raises(NotTakenError) as refused:
            peer.post(EMPTY)
        assert refused.value.is_lost == is_lost
        assert not peer.is_up


def test_what_found_nobody_was_never_sent() -> None:
    with asking(nobody(), nobody()) as peer, pytest.raises(NotTakenError) as refused:
        peer.post(EMPTY)
    assert not refused.value.is_lost


def test_what_was_not_answered_may_have_arrived() -> None:
    with serving(hang_up) as (server,), asking(server.url) as peer:
        with pytest.raises(NotTakenError) as refused:
            peer.post(EMPTY)
        assert refused.value.is_lost
        assert server.got == 2  # once more, on a new connection


def test_a_doubt_about_one_way_outlives_the_word_of_the_other() -> None:
    """The leader may have got it by the first, and lead no longer when asked by the second."""
    with serving(hang_up, status(409)) as (first, second), asking(first.url, second.url) as peer:
        with pytest.raises(NotTakenError) as refused:
            peer.post(EMPTY)
        assert refused.value.is_lost


def test_a_word_of_the_node_itself_is_not_asked_for_twice() -> None:
    with (
        serving(status(409), status(200)) as (first, second),
        asking(first.url, second.url) as peer,
    ):
        with pytest.raises(NotTakenError):
            peer.post(EMPTY)
        assert second.got == 0

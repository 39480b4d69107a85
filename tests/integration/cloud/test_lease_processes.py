"""The real API as the authority, asked as the nodes ask it: killed, started again, restored."""

import base64
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine

from app.ha.authority import Authority, RefusedError, UnreachableError
from app.leading import Role
from app.lease import Answer, Asked, Report, Wish
from tests.support.cloud_processes import cloud
from tests.support.processes import PORTIERE, Process, eventually, free_port

MAC, VPS = "mac", "vps"
KEYS = {MAC: b"m" * 32, VPS: b"v" * 32}
# One that no start of a busy machine outlasts, and one that is waited for.
LONG, SHORT = 600.0, 2.0
GRACE = 1.0


@dataclass
class Lease:
    """The API's process with its store, and the two nodes that ask it."""

    process: Process
    url: str
    store: Path
    nodes: dict[str, Authority]
    began_at: float = 0

    def start(self) -> None:
        """Start it; ``began_at`` is before."""
        self.began_at = time.monotonic()
        self.process.start()
        eventually(self._answers, "the API answers")

    def ask(self, node: str, wish: Wish, term: int = 0, **more: Any) -> Answer:
        """What a node hears."""
        report = Report(role=Role.STANDBY, term=term, version="0")
        asked = Asked(wish=wish, term=term, report=report, **more)
        return self.nodes[node].ask(asked)[0]

    def copy(self, source: Path, target: Path) -> None:
        """Back up, or restore, the store as SQLite does."""
        with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
            read.backup(written)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health").status_code == 200
        except httpx.HTTPError:
            return not self.process.alive()


@pytest.fixture(params=[LONG])
def lease(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lease]:
    bind = f"127.0.0.1:{free_port()}"
    clients = {
        name: {"keys": [base64.b64encode(key).decode()], "scopes": ["lease"]}
        for name, key in KEYS.items()
    }
    store = tmp_path / "kept.db"
    overrides = {
        "PORTIERE_STORE_URL": f"sqlite:///{store}",
        "PORTIERE_CLOUD_BIND": bind,
        "PORTIERE_API_CLIENTS": json.dumps(clients),
        "PORTIERE_LEASE_TTL": f"{request.param}",
        "PORTIERE_LEASE_GRACE": f"{GRACE}",
    }
    with cloud(tmp_path, **overrides) as layer:
        url = f"http://{bind}"
        nodes = {name: Authority([url], name, key) for name, key in KEYS.items()}
        process = Process([PORTIERE, "cloud", "api"], layer.env, tmp_path / "api.log")
        found = Lease(process, url, store, nodes)
        found.start()
        try:
            yield found
        finally:
            process.stop()
            for node in nodes.values():
                node.close()


def test_killed_and_started_again_it_lets_who_leads_go_on(lease: Lease) -> None:
    lease.ask(VPS, Wish.REPORT)
    first = lease.ask(MAC, Wish.ACQUIRE)
    assert (first.held, first.term) == (True, 1)
    lease.process.kill()
    lease.start()
    refused = lease.ask(VPS, Wish.ACQUIRE, 1)
    assert (refused.held, refused.holder, refused.term) == (False, MAC, 1)
    assert lease.ask(MAC, Wish.HOLD, 1).held


@pytest.mark.parametrize("lease", [SHORT], indirect=True)
def test_killed_and_started_again_it_waits_before_another_leads(lease: Lease) -> None:
    def acquire() -> Answer | None:
        answer = lease.ask(VPS, Wish.ACQUIRE, 1)
        return answer if answer.held else None

    lease.ask(VPS, Wish.REPORT)
    assert lease.ask(MAC, Wish.ACQUIRE).term == 1
    lease.process.kill()
    lease.start()
    taken = eventually(acquire, "the VPS leads")
    assert time.monotonic() - lease.began_at >= SHORT + GRACE
    assert taken.term > 1
    late = lease.ask(MAC, Wish.HOLD, 1)
    assert (late.held, late.holder, late.term) == (False, VPS, taken.term)


def test_over_a_restored_backup_the_newer_term_leads(lease: Lease, tmp_path: Path) -> None:
    lease.ask(VPS, Wish.REPORT)
    assert lease.ask(MAC, Wish.ACQUIRE).held
    backup = tmp_path / "backup.db"
    lease.copy(lease.store, backup)
    given = lease.ask(MAC, Wish.GIVE, 1, to=VPS)
    assert (given.holder, given.term) == (VPS, 2)
    assert lease.ask(VPS, Wish.HOLD, 2).held
    lease.process.kill()
    lease.copy(backup, lease.store)
    lease.start()
    assert not lease.ask(MAC, Wish.HOLD, 1, lapsed=True).held
    held = lease.ask(VPS, Wish.HOLD, 2)
    assert (held.held, held.holder, held.term) == (True, VPS, 2)
    assert not lease.ask(MAC, Wish.HOLD, 1, lapsed=True).held


def test_who_is_refused_knows_that_the_authority_is_there(lease: Lease) -> None:
    asked = Asked(wish=Wish.REPORT, term=0, report=Report(role=Role.STANDBY, term=0, version="0"))
    nowhere = f"http://127.0.0.1:{free_port()}"
    with (
        closing(Authority([nowhere, lease.url], MAC, KEYS[VPS])) as with_another_key,
        pytest.raises(RefusedError, match=r"ConnectError.*signature"),
    ):
        with_another_key.ask(asked)
    then = datetime.now(UTC) - timedelta(minutes=6)
    with time_machine.travel(then), pytest.raises(RefusedError, match="set the clock"):
        lease.nodes[MAC].ask(asked)
    assert lease.nodes[MAC].ask(asked)[0].holder is None


@pytest.mark.parametrize("status", [403, 404, 502, 530])
def test_who_answers_in_its_place_is_not_the_authority(status: int) -> None:
    """As Cloudflare does at the public name of a VPS that is off."""

    class Edge(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    asked = Asked(wish=Wish.REPORT, term=0, report=Report(role=Role.STANDBY, term=0, version="0"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Edge) as edge:
        threading.Thread(target=edge.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{edge.server_port}"
        with (
            closing(Authority([url], MAC, KEYS[MAC])) as node,
            pytest.raises(UnreachableError, match=f"HTTP {status}") as raised,
        ):
            node.ask(asked)
        edge.shutdown()
    assert raised.type is UnreachableError

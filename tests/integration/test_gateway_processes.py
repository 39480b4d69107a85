"""Several gateway processes on one address: shared load, deaths and restarts that lose nothing."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.store.database import Database
from tests.bench.client import Connection, rendered
from tests.support.events import inbound
from tests.support.processes import Stack, eventually, stack

REQUESTS = 10_000
CONNECTIONS = 32
LOST_CONNECTION = (ConnectionError, asyncio.IncompleteReadError)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Stack]:
    """A gateway of two processes; no worker."""
    with stack(tmp_path, PORTIERE_GATEWAY_WORKERS="2") as found:
        found.start_gateway()
        eventually(lambda: len(serving(found)) == 2, "both processes serve")
        yield found


def serving(found: Stack) -> list[int]:
    """The processes that said that they serve, the first first."""
    lines = [json.loads(line) for line in found.gateway.log.read_text().splitlines()]
    return [line["pid"] for line in lines if line["event"] == "gateway_ready"]


def sockets(pid: int) -> int:
    """How many a process has open."""
    files = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]
    return sum(file.startswith("socket:") for file in files)


@dataclass
class Flood:
    """Signed webhooks at full speed. ``again``: what wasn't answered is posted again, as the
    provider does; without it such a one is an error."""

    port: int
    count: int
    again: bool = False
    accepted: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    repeated: int = 0
    halfway: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Post all of them, over as many connections as the provider's are."""
        events = [
            inbound(f"A che ora è la colazione? {number}", f"+39000{number % 500:07d}")
            for number in range(self.count)
        ]
        requests = [(event["event_uuid"], rendered(event)) for event in events]
        shares = (self._share(requests[i::CONNECTIONS]) for i in range(CONNECTIONS))
        await asyncio.gather(*shares)

    async def _share(self, requests: list[tuple[str, bytes]]) -> None:
        connection = await Connection.open(self.port)
        for event_id, request in requests:
            connection = await self._post(connection, request)
            self.accepted.append(event_id)
            if len(self.accepted) == self.count // 2:
                self.halfway.set()
        await connection.close()

    async def _post(self, connection: Connection, request: bytes) -> Connection:
        while True:
            since = time.perf_counter()
            try:
                if connection.is_closing:
                    connection = await Connection.open(self.port)
                await connection.post(request)
            except LOST_CONNECTION:
                if not self.again:
                    raise
                self.repeated += 1
                connection = await Connection.open(self.port)
                continue
            self.seconds.append(time.perf_counter() - since)
            return connection


def kept(found: Stack) -> list[str]:
    """The events that are in the inbox."""
    return [row["event_id"] for row in Database(found.database).all("SELECT event_id FROM inbox")]


def flood(
    found: Stack, count: int, meanwhile: Callable[[], None] | None = None, *, again: bool = False
) -> Flood:
    """Run a flood, and ``meanwhile()`` when half of it is accepted."""

    async def both() -> Flood:
        made = Flood(found.gateway_port, count, again)
        running = asyncio.create_task(made.run())
        if meanwhile is not None:
            halfway = asyncio.create_task(made.halfway.wait())
            await asyncio.wait({running, halfway}, return_when=asyncio.FIRST_COMPLETED)
            halfway.cancel()
            meanwhile()
        await running
        return made

    return asyncio.run(both())


def test_ten_thousand_webhooks_are_accepted_once_each(two: Stack) -> None:
    done = flood(two, REQUESTS)
    assert sorted(kept(two)) == sorted(done.accepted)
    assert len(set(done.accepted)) == REQUESTS
    done.seconds.sort()
    p50, p99 = (done.seconds[int(REQUESTS * share)] * 1000 for share in (0.5, 0.99))
    print(
        f"\n{REQUESTS} webhooks, {CONNECTIONS} connections, 2 processes: accepted within "
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"
    )


def test_a_process_that_is_killed_loses_nothing_it_accepted(two: Stack) -> None:
    killed: list[int] = []

    def kill() -> None:
        # Both take from one queue of connections: either may have got them all.
        killed.append(max(serving(two), key=sockets))
        os.kill(killed[0], signal.SIGKILL)

    done = flood(two, REQUESTS, kill, again=True)
    assert done.repeated > 0, "it was killed in the middle of something"
    assert sorted(kept(two)) == sorted(done.accepted)
    assert len(set(done.accepted)) == REQUESTS
    eventually(lambda: len(serving(two)) == 3, "another has taken its place")


def test_a_rolling_restart_under_load_drops_no_request(two: Stack) -> None:
    before = set(serving(two))

    def restart() -> None:
        two.gateway.popen.send_signal(signal.SIGHUP)

    accepted = 0
    done = flood(two, REQUESTS, restart)
    accepted += len(done.accepted)

    def replaced() -> bool:
        nonlocal accepted
        accepted += len(flood(two, 500).accepted)
        return not any(alive(pid) for pid in before)

    eventually(replaced, "both processes were replaced", seconds=240)
    assert len(set(serving(two)) - before) == 2
    assert len(kept(two)) == len(set(kept(two))) == accepted


def test_whoever_loses_its_supervisor_ends(two: Stack) -> None:
    two.gateway.kill()
    eventually(lambda: not any(alive(pid) for pid in serving(two)), "nobody holds the address")


def test_it_ends_in_order(two: Stack) -> None:
    assert two.gateway.stop() == 0
    assert not any(alive(pid) for pid in serving(two))


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped doesn't."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False

"""Whole stacks on loopback: real Redis, gateway, worker; the sandbox in Spoki's place.

``idle`` and ``running`` are one stack for a whole module, emptied between tests; ``own`` is a
stack of the test's own, for one that kills or stops a part of it.
"""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.store.database import open_database
from tests.support.guest import settled
from tests.support.processes import Stack, eventually, stack

# Short waits, so that what takes half a minute in production is seen in seconds here.
IMPATIENT = {
    "PORTIERE_RELAY_INTERVAL": "0.1",
    "PORTIERE_RELAY_GRACE": "0.5",
    "PORTIERE_SEND_TIMEOUT": "1",
    "PORTIERE_SEND_ECHO_WAIT": "3",
    "PORTIERE_SANDBOX_STATUS_GAP": "0.02",
    # After many faults at once the breaker lets one message try for each rest.
    "PORTIERE_BREAKER_REST": "0.2",
}


def empty(found: Stack) -> None:
    """Forget what earlier tests did, once nothing of it is under way."""
    httpx.post(f"{found.sandbox_url}/sandbox/reset").raise_for_status()
    database = open_database(found.database)
    if hasattr(found.worker, "popen"):
        eventually(lambda: settled(found), "earlier messages are settled")
    with database.transaction() as connection:
        connection.execute("DELETE FROM outbox")
        connection.execute("DELETE FROM inbox")
    database.close()


@pytest.fixture(scope="module")
def _module_idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("idle"), **IMPATIENT) as found:
        found.start_sandbox()
        found.start_gateway()
        yield found


@pytest.fixture(scope="module")
def _module_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("running"), **IMPATIENT) as found:
        found.start_sandbox()
        found.start_gateway()
        found.start_worker()
        yield found


@pytest.fixture
def idle(_module_idle: Stack) -> Stack:
    """A stack without a worker."""
    empty(_module_idle)
    return _module_idle


@pytest.fixture
def running(_module_running: Stack) -> Stack:
    """A stack with everything started."""
    empty(_module_running)
    return _module_running


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stack]:
    """A stack of the test's own, its worker not started."""
    with stack(tmp_path, **IMPATIENT) as found:
        found.start_sandbox()
        found.start_gateway()
        yield found

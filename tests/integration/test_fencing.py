"""A worker works while its machine leads, by the file that the node keeps, and not a moment longer.

The test is the node here; the guests' messages are written straight into the inbox, for a gateway
would have the database open as well.
"""

import base64
import os
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app import steady
from app.leading import Role, Standing, keep
from app.messages import alerts, leading
from app.messages.inbox import Inbox
from app.providers import spoki_events
from app.store.database import Database, open_database
from app.store.users import in_use, wait_until_unused
from tests.integration.conftest import IMPATIENT
from tests.support.events import encode, inbound, outbound
from tests.support.freezing_worker import MOMENTS
from tests.support.guest import SEAL, fault, sends, sent_keys, states
from tests.support.processes import Process, Stack, eventually, stack, start_and_wait

A_WHILE = timedelta(seconds=20)
FIRST, DESK = 5, "+390000000077"
# Whom the node would talk with: nobody is there.
HA = {
    "PORTIERE_HA_AUTHORITY": "http://127.0.0.1:9",
    "PORTIERE_HA_PEER": "vps",
    "PORTIERE_HA_PEER_URLS": "http://127.0.0.1:9",
    "PORTIERE_HA_KEY": base64.b64encode(b"h" * 32).decode(),
    "PORTIERE_HA_REPLICA": "file:///nowhere",
    "PORTIERE_HA_REDIS_ADMIN_URL": "redis://127.0.0.1:9/0",
    "PORTIERE_HA_REDIS_PEER": "127.0.0.1:9",
    "PORTIERE_ALERT_WHATSAPP": DESK,
}


class Machine:
    """A worker and the sandbox; no gateway, and the test in the node's place."""

    def __init__(self, found: Stack) -> None:
        self.stack = found
        self.worker = found.worker
        self.database = Database(found.database)  # no user: it only looks

    def stands(
        self, role: Role = Role.LEADER, term: int = FIRST, lasts: float = 1000, doubt: float = 0
    ) -> None:
        """Write down how the machine stands; ``lasts``: its lease, in seconds from now."""
        now = steady.now()
        path = self.stack.directory / "ha/standing.json"
        keep(path, Standing(role, term, valid_until=now + lasts, doubt_until=now + doubt))

    def has_database_in(self, term: int = FIRST) -> None:
        """Make the database, as a node does before its machine leads; or its next term."""
        made = open_database(self.stack.database)
        with made.transaction() as connection:
            leading.begin_term(connection, term, "mac", "failover")
        made.close_all()

    def hears(self, event: dict[str, Any]) -> str:
        """Keep an event; the id of its message."""
        body = encode(event)
        accept = Inbox(self.database, SEAL, timedelta(0)).accept(spoki_events.parse(body), body)
        with self.database.transaction() as connection:
            accept(connection)
        return str(event["data"]["uuid"])

    def says(self, event: str, times: int = 1) -> None:
        """Wait until the worker's log has ``event`` so often."""
        log = self.stack.worker.log
        eventually(lambda: log.read_text().count(event) >= times, f"{event}, {times} times")

    def frozen_at(self, moment: str) -> Process:
        """A worker that is frozen at that moment."""
        command = [sys.executable, "-m", "tests.support.freezing_worker", moment]
        self.worker = Process(command, self.stack.worker.env, self.stack.worker.log)
        self.worker.start()
        _, status = os.waitpid(self.worker.popen.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), self.worker.log.read_text()
        return self.worker


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with stack(tmp_path, **IMPATIENT, **HA) as found:
        found.start_sandbox()
        made = Machine(found)
        yield made
        made.database.close()
        if hasattr(made.worker, "popen") and made.worker.popen.poll() is None:
            made.worker.popen.send_signal(signal.SIGCONT)
            made.worker.stop()


def guests(count: int) -> list[str]:
    return [f"+39000000001{number}" for number in range(count)]


@pytest.mark.parametrize("moment", MOMENTS)
def test_who_wakes_after_the_end_of_its_lease_sends_nothing(machine: Machine, moment: str) -> None:
    machine.has_database_in()
    machine.stands()
    for phone in guests(3):
        machine.hears(inbound("Buongiorno", phone))
    worker = machine.frozen_at(moment)
    before = len(sends(machine.stack))  # another thread's, maybe, while the lease lasted
    machine.stands(lasts=0.2)
    end = steady.now() + 0.2
    eventually(lambda: steady.now() > end, "the lease is over")
    assert len(sends(machine.stack)) == before
    worker.popen.send_signal(signal.SIGCONT)
    eventually(
        lambda: (
            states(machine.stack).total() == 3
            and not states(machine.stack).keys() & {"sending", "unknown"}
        ),
        "all is answered, nothing under way",
    )
    assert states(machine.stack)["pending"] == 3 - before
    assert len(sends(machine.stack)) == before
    machine.stands()
    eventually(lambda: states(machine.stack)["sent"] == 3, "all is sent in the lease after it")
    assert list(sent_keys(machine.stack).values()) == [1, 1, 1]
    assert {row["term"] for row in machine.database.all("SELECT term FROM outbox")} == {FIRST}


def test_who_wakes_in_anothers_term_sends_nothing_and_lets_go(machine: Machine) -> None:
    machine.has_database_in()
    machine.stands()
    machine.hears(inbound("Buongiorno"))
    worker = machine.frozen_at("before-look")
    machine.stands(Role.STANDBY, FIRST + 1)
    worker.popen.send_signal(signal.SIGCONT)
    assert wait_until_unused(machine.stack.database, A_WHILE)
    machine.says("message_kept_back")
    assert (sends(machine.stack), states(machine.stack)) == ([], {"pending": 1})


def test_a_worker_opens_the_database_when_its_machine_leads_and_lets_go_after(
    machine: Machine,
) -> None:
    start_and_wait(machine.worker, "worker_waits_to_lead")
    assert not machine.stack.database.exists()
    for round_, term in enumerate((FIRST, FIRST + 2), start=1):
        machine.has_database_in(term)
        machine.stands(term=term)
        machine.says("worker_ready", round_)
        assert in_use(machine.stack.database)
        machine.hears(inbound("Buongiorno"))
        answered(machine, round_)
        role = Role.STANDBY if round_ == 1 else Role.HANDING_OVER
        machine.stands(role, term)
        assert wait_until_unused(machine.stack.database, A_WHILE)
        open_ = [fd for fd in _files(machine.worker) if fd.startswith(str(machine.stack.database))]
        assert open_ == []
    assert machine.worker.stop() == 0


def test_a_send_in_hand_is_finished_before_it_lets_go(machine: Machine) -> None:
    machine.has_database_in()
    machine.stands()
    fault(machine.stack, "slow", count=1, seconds=0.8)
    start_and_wait(machine.worker, "worker_ready")
    machine.hears(inbound("Buongiorno"))
    eventually(lambda: states(machine.stack)["sending"] == 1, "it is being sent")
    machine.stands(Role.HANDING_OVER)
    assert wait_until_unused(machine.stack.database, A_WHILE)
    assert states(machine.stack) == {"sent": 1}


def test_a_worker_that_is_killed_lets_go(machine: Machine) -> None:
    machine.has_database_in()
    machine.stands()
    start_and_wait(machine.worker, "worker_ready")
    assert in_use(machine.stack.database)
    machine.worker.kill()
    assert not in_use(machine.stack.database)


def test_a_report_that_came_before_its_message_keeps_it_from_being_sent(machine: Machine) -> None:
    machine.has_database_in()
    machine.stands()
    start_and_wait(machine.worker, "worker_ready")
    first, second = inbound("Buongiorno"), inbound("Buongiorno")
    key = f"reply-{first['data']['uuid']}"
    machine.hears(outbound("Delivered", key, "a1"))
    eventually(lambda: machine.database.one("SELECT 1 FROM echoes"), "the report is kept")
    machine.hears(first)
    machine.hears(second)
    eventually(lambda: states(machine.stack)["sent"] == 1, "the next message is sent")
    rows = machine.database.all("SELECT idempotency_key, state, provider_id FROM outbox")
    assert tuple(rows[0]) == (key, "delivered", "a1")
    assert list(sent_keys(machine.stack)) == [f"reply-{second['data']['uuid']}"]


def test_in_doubt_guests_are_answered_and_nothing_is_said_unasked(machine: Machine) -> None:
    machine.has_database_in()
    machine.stands(doubt=1000)
    desk = alerts.Alerts(machine.database, SEAL, [alerts.Channel.WHATSAPP])
    with machine.database.transaction() as connection:
        desk.raise_alert(connection, key="x", kind="invented", guest=None, text="invented")
    start_and_wait(machine.worker, "worker_ready")
    machine.hears(inbound("Buongiorno"))
    eventually(lambda: states(machine.stack)["sent"] == 1, "the guest is answered")
    delivered = "SELECT 1 FROM alert_deliveries WHERE state <> 'pending'"
    assert machine.database.one(delivered) is None
    machine.stands()
    eventually(lambda: machine.database.one(delivered), "the desk is told")


def answered(machine: Machine, count: int) -> None:
    eventually(lambda: states(machine.stack)["sent"] == count, f"{count} guests are answered")


def _files(process: Process) -> list[str]:
    """The files that a process has open."""
    folder = Path(f"/proc/{process.popen.pid}/fd")
    if not folder.exists():
        pytest.skip("only Linux shows them so")
    return [str(one.readlink()) for one in folder.iterdir() if one.exists()]

"""Given a cluster that is well and guests who talk; afterwards it is healed and all is counted.

``LONG=1`` breaks things for as long as they break in life; without it, for as long as a takeover
needs. A failure leaves what there is to read under build/.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.rehearsal import cluster, faults, hosts
from tests.rehearsal.accounts import Account, Outside, Talk, talking
from tests.rehearsal.cluster import MAC, VPS, Node
from tests.rehearsal.drill import ANSWER_PATIENCE, await_reply, replies_by
from tests.rehearsal.drilling import BUILD, RETURN_PATIENCE, SETTLE_PATIENCE
from tests.rehearsal.verdict import longest_pause

LONG = bool(os.environ.get("LONG"))
LEASE = 30.0  # PORTIERE_LEASE_TTL


def lasting(long: float, short: float = 90) -> float:
    """How long a fault lasts, in seconds."""
    return long if LONG else short


@dataclass
class Scene:
    """Guests who talk while something breaks. Times are seconds since the epoch."""

    talk: Talk
    began: float = field(default_factory=time.time)

    def replies_by(self, node: Node, after: float) -> bool:
        """Whether a node has answered since a moment."""
        return replies_by(self.talk, node, after) is not None

    def await_reply_by(self, node: Node, after: float, seconds: float = ANSWER_PATIENCE) -> float:
        """Wait until a node answers; how long after ``after`` that was."""
        return await_reply(self.talk, node, after, seconds)

    def pause(self, since: float) -> float:
        """The longest time without any reply from a moment until now."""
        return longest_pause(self.talk.count().handed, since, time.time())

    def senders(self, since: float) -> set[str | None]:
        """Where replies came from since a moment."""
        return {one.source for one in self.talk.count().handed if one.at >= since}

    def finish(self) -> Account:
        """Heal, wait until all is well, have the guests fall silent, and count.

        Raises:
            AssertionError: A message is lost, answered twice, or two sent in one term.
        """
        faults.heal()
        hosts.up([MAC.host, VPS.host])
        cluster.await_well(RETURN_PATIENCE)
        self.talk.stop()
        found = self.talk.settle(SETTLE_PATIENCE)
        assert found.verdict.told > 0
        assert (found.verdict.lost, found.verdict.doubled) == ((), ())
        assert cluster.two_senders(found.handed) == []
        return found


@pytest.fixture(scope="session")
def outside() -> Outside:
    """Where guests talk from."""
    return cluster.outside()


@pytest.fixture
def rate() -> float:
    """How many messages guests write in a second: in ten minutes about as many as in two.

    Whoever comes back copies them all, on the same two cores that the guests talk on.
    """
    return 2.0 if LONG else 10.0


@pytest.fixture
def scene(outside: Outside, rate: float) -> Iterator[Scene]:
    """The cluster is well, the Mac leads, guests are talking and being answered."""
    cluster.await_well(RETURN_PATIENCE)
    with talking(outside, rate=rate) as talk:
        cluster.until(lambda: talk.count().handed, "the first reply of the talk", 60)
        yield Scene(talk)
    faults.heal()
    hosts.up([MAC.host, VPS.host])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep what there is to read as soon as a scenario fails, before anything is healed."""
    if (
        call.when == "call"
        and call.excinfo is not None
        and "scene" in getattr(item, "funcargs", {})
    ):
        cluster.keep_evidence(Path(BUILD, f"scenario-{item.name}"))
    yield

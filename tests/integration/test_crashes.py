"""``kill -9`` at every step of a reply: nothing is lost, nothing is sent twice."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.integration.conftest import IMPATIENT
from tests.support.dying_worker import MOMENTS, Nursery
from tests.support.events import inbound
from tests.support.guest import all_settled, post, sent_keys, states, write
from tests.support.processes import Stack, eventually, stack

# Only an answer whose echo settles it in time is surely not sent again; see docs/architecture.md.
SIGKILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Nursery]]:
    """One stack for all moments, its workers out of one nursery."""
    with stack(tmp_path_factory.mktemp("crashes"), **IMPATIENT) as found:
        found.start_sandbox()
        found.start_gateway()
        nursery = Nursery(found.env, found.directory / "nursery.log")
        yield found, nursery
        nursery.close()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_killed_at_any_step_loses_and_doubles_nothing(
    ground: tuple[Stack, Nursery], moment: str
) -> None:
    found, nursery = ground
    before = states(found).total()
    write(found)
    nursery.start(moment)
    assert nursery.wait() == SIGKILLED
    write(found, "Wo kann ich parken?")
    survivor = nursery.start("never")
    try:
        all_settled(found, before + 2)
        eventually(lambda: states(found)["read"] == before + 2, "all messages are read")
        assert list(sent_keys(found).values()) == [1] * (before + 2)
    finally:
        os.kill(survivor, signal.SIGTERM)
        assert nursery.wait() == 0


def test_a_gateway_killed_after_the_commit_answers_all_the_same(own: Stack) -> None:
    event = inbound("Buongiorno, a che ora è la colazione?")
    own.redis.kill()  # so that the gateway can commit, and can't enqueue
    assert post(own, event).status_code == 200
    own.gateway.kill()
    own.redis.start()
    own.start_worker()
    own.start_gateway()
    assert post(own, event).json()["duplicate"]
    all_settled(own, 1)
    assert list(sent_keys(own).values()) == [1]

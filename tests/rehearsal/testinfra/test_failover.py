"""One power cut, while guests talk: the VPS answers, and the Mac comes back without a hand.

`make failover-drill` does it many times, `make failover-scenarios` breaks the rest.
"""

import random

import pytest

from tests.rehearsal import cluster
from tests.rehearsal.drill import Cut, power_cut
from tests.rehearsal.drilling import BUILD
from tests.rehearsal.testinfra.conftest import ENVIRONMENT

pytestmark = [
    pytest.mark.mutating,
    pytest.mark.disruptive,
    pytest.mark.skipif(ENVIRONMENT != "rehearsal", reason="cuts the power of rehearsal hosts"),
]


def test_the_macs_power_is_cut_while_guests_talk() -> None:
    cut = Cut(1)
    try:
        power_cut(cut, cluster.outside(), 10, random.Random(), talk_on=10)
    finally:
        print(cut.line, cut.takeover, cut.switchover, sep="\n")
        if cut.broken:
            cluster.keep_evidence(BUILD / "failover-molecule")
    assert cut.broken == []

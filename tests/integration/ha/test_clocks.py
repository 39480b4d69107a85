"""Two machines whose clocks differ, or are set: who leads, and what is sent, doesn't go by them.

The Mac's programs are told another time (tests/support/set_clock.py). What this can't show: Redis
and Litestream by another time, which have the right one here.
"""

import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.both_machines import BothMachines, Host, both_machines
from tests.support.processes import eventually

SET_CLOCK = Path(__file__).parents[2] / "support/set_clock.py"


class Clock:
    """A machine's clock, which can be set."""

    def __init__(self, host: Host) -> None:
        self._file = host.directory / "clock"
        self.set(timedelta())
        for process in (host.gateway, host.worker, host.node):
            process.command[:1] = [sys.executable, str(SET_CLOCK), str(self._file)]

    def set(self, offset: timedelta) -> None:
        """Set it so far from the right time."""
        new = self._file.with_suffix(".new")
        new.write_text(str(offset.total_seconds()))
        new.replace(self._file)


class Watched:
    """Both machines, of which never two may act."""

    def __init__(self, pair: BothMachines) -> None:
        self.pair = pair
        self.clock = Clock(pair.mac)
        self.keys: list[str] = []
        self._next_at = 0.0
        pair.start()

    def write(self) -> None:
        """A guest writes, by the door that is always there."""
        self.keys.append(self.pair.vps.post("Grazie!", phone=f"+39000000{len(self.keys):04}"))

    def until_answered(self) -> None:
        """All that was written is answered, once."""
        eventually(lambda: all(self.pair.replies()[key] for key in self.keys), "replies")
        assert {self.pair.replies()[key] for key in self.keys} == {1}

    def until_led(self, by: Host) -> None:
        """Wait until one leads; the other must have stopped by then, and guests write meanwhile."""

        def leads() -> bool:
            assert not (self.pair.mac.leads() and self.pair.vps.leads()), "two lead"
            if time.monotonic() > self._next_at:
                self._next_at = time.monotonic() + 0.5
                self.write()
            return by.leads()

        eventually(leads, f"{by.name} leads")


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with both_machines(tmp_path) as pair:
        yield Watched(pair)


def test_a_few_minutes_change_nothing(watched: Watched) -> None:
    pair = watched.pair
    term = term_of(pair.mac)
    for minutes in (-1, 1, -4, 4):
        watched.clock.set(timedelta(minutes=minutes))
        watched.write()
        await_renewal(pair.mac)
    watched.until_answered()
    assert (pair.mac.leads(), term_of(pair.mac)) == (True, term)

    pair.mac.power_off()
    watched.until_led(pair.vps)
    watched.until_answered()
    pair.mac.start()
    watched.until_led(pair.mac)
    watched.until_answered()


@pytest.mark.parametrize("off", [timedelta(minutes=-6), timedelta(days=3)])
def test_who_is_so_far_off_that_its_word_isn_t_taken_leads_no_more(
    watched: Watched, off: timedelta
) -> None:
    """The authority is there and refuses it: to stay would be to send while the VPS does, too."""
    pair = watched.pair
    watched.clock.set(off)
    watched.until_led(pair.vps)
    assert not pair.mac.leads()
    watched.until_answered()
    seen = pair.mac.view()
    assert seen is not None
    assert "set the clock" in (seen.authority_said or "")

    watched.clock.set(timedelta())
    watched.until_led(pair.mac)
    watched.until_answered()


def term_of(host: Host) -> int:
    """In which it stands."""
    seen = host.view()
    assert seen is not None
    return seen.standing.term


def await_renewal(host: Host) -> None:
    """Wait until its lease is renewed once more."""
    before = lease_end(host)
    eventually(lambda: lease_end(host) > before, "the lease is renewed")


def lease_end(host: Host) -> float:
    """When its lease is over, by the steady clock."""
    seen = host.view()
    assert seen is not None
    assert seen.standing.valid_until is not None
    return seen.standing.valid_until

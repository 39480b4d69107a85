"""Events at both doors all the while the nodes change sides, and die: what got a 200 is somewhere.

The databases aren't copied to each other here, so what one leader took is in its own.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from app.leading import Role
from tests.support.events import inbound
from tests.support.processes import eventually
from tests.support.two_nodes import Node, Pair, two_nodes


@dataclass
class Guests:
    """Events posted at the doors of both, as fast as they take them."""

    pair: Pair
    accepted: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Meanwhile they write."""
        threads = [
            threading.Thread(target=self._write, args=(node, number))
            for node in (self.pair.mac, self.pair.vps)
            for number in range(2)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join()

    def more(self, count: int) -> None:
        """Wait until that many more were accepted."""
        wanted = len(self.accepted) + count
        eventually(lambda: len(self.accepted) >= wanted, f"{count} more events are accepted")

    def _write(self, node: Node, number: int) -> None:
        while not self._stopping.is_set():
            event = inbound("Buongiorno", f"+39000{number:07d}")
            try:
                answer = node.post(event)
            except httpx.HTTPError:
                self._stopping.wait(0.05)  # nobody listens; the provider would ask again
                continue
            if answer.status_code == 200:
                self.accepted.append(event["event_uuid"])
            else:
                self.refused.append(answer.status_code)


def switch_over(pair: Pair, to: Node, term: int) -> None:
    """What the nodes' loops do, as far as the doors see it."""
    former = pair.vps if to is pair.mac else pair.mac
    former.stand(Role.HANDING_OVER, term - 1, former.name)
    to.replay()
    former.stand(Role.STANDBY, term, to.name)
    to.stand(Role.LEADER, term, to.name)


def somewhere(pair: Pair) -> set[str]:
    """All that is in a database or a spool."""
    return {name for node in (pair.mac, pair.vps) for name in (*node.inbox(), *node.spooled())}


def test_nothing_is_lost_while_the_nodes_change_sides(tmp_path: Path) -> None:
    with two_nodes(tmp_path) as pair:
        pair.start()
        guests = Guests(pair)
        with guests.writing():
            for term in range(2, 8):
                guests.more(40)
                switch_over(pair, pair.vps if term % 2 == 0 else pair.mac, term)
                guests.more(20)
                pair.settled()
        assert not guests.refused
        assert set(guests.accepted) <= somewhere(pair)
        # What waits comes to whoever leads in the end, and all of it is there once.
        pair.mac.replay()
        with pair.vps.forwarding():
            eventually(lambda: not pair.vps.spool.count(), "all is forwarded")
        for node in (pair.mac, pair.vps):
            assert set(node.inbox().values()) == {1}
        assert set(guests.accepted) <= set(pair.mac.inbox()) | set(pair.vps.inbox())


def test_nothing_is_lost_when_gateways_are_killed_amid(tmp_path: Path) -> None:
    with two_nodes(tmp_path) as pair:
        pair.start()
        guests = Guests(pair)
        with guests.writing(), pair.vps.forwarding():
            for node in (pair.vps, pair.mac, pair.vps, pair.mac):
                guests.more(40)
                node.stack.gateway.kill()
                guests.more(20)
                node.stack.start_gateway()
            guests.more(40)
            pair.settled()
        assert not guests.refused
        assert set(guests.accepted) <= somewhere(pair)
        pair.mac.replay()
        with pair.vps.forwarding():
            eventually(lambda: not pair.vps.spool.count(), "all is forwarded")
        assert set(guests.accepted) <= set(pair.mac.inbox())
        assert set(pair.mac.inbox().values()) == {1}

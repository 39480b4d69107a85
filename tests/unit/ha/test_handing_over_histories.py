"""Handing over, whatever happened before, and wherever it is cut off.

A history of messages, answers, sends, deaths and reports on the former leader, the newest part of
which was never replicated; meanwhile the new leader takes some of the same events. Then requests
and answers are lost at any of them, until all is handed over.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.ha import handing_over
from app.ha.handing_over import MARKER, HandedOver, HandOverError, hand_over, since_of
from app.messages.outbox import OutboxRow
from tests.support.events import GUEST, inbound
from tests.unit.ha.sides import OTHER, Peer, Side, close, copied, former_leader, report_of

GUESTS = (GUEST, OTHER)
# What may happen on the former leader; the number chooses among what is there.
STEP = st.tuples(
    st.sampled_from(["receive", "answer", "sent", "report", "guest", "push"]), st.integers(0, 20)
)
CUTS = st.lists(st.sampled_from(["before", "after"]), max_size=6)

# Thousands of commits, each of which waits for the disk.
_IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


@dataclass
class World:
    """Both sides. ``sent``: what the provider took, by key and by which side."""

    former: Side
    events: list[dict[str, Any]] = field(default_factory=list)
    under_way: list[OutboxRow] = field(default_factory=list)
    noted: set[str] = field(default_factory=set)
    sent: Counter[str] = field(default_factory=Counter)
    pushed: int = 0

    def step(self, what: str, number: int) -> None:
        former = self.former
        if what == "receive":
            self.events.append(event := inbound(f"{number}", GUESTS[number % 2]))
            former.receive(event)
        elif what == "answer":
            rows = former.database.all("SELECT id FROM inbox WHERE state = 'received' ORDER BY id")
            claimed = former.answer(rows[number % len(rows)]["id"]) if rows else None
            if claimed is not None:
                self.under_way.append(claimed)
                self.sent[claimed.idempotency_key] += 1  # the provider has it; nobody noted that
        elif what == "sent" and self.under_way:
            row = self.under_way.pop(number % len(self.under_way))
            former.send(row)
            self.noted.add(row.idempotency_key)
        elif what == "report" and self.under_way:
            row = self.under_way[number % len(self.under_way)]
            former.receive(report_of(row.idempotency_key, f"id{number}"))
            self.noted.add(row.idempotency_key)
        elif what == "guest":
            with former.database.transaction() as connection:
                former.guests.seen(connection, GUESTS[number % 2], f"Ospite {number}")
        elif what == "push":
            self.pushed += 1
            payload = {"phone": GUESTS[number % 2], "text": "Ciao"}
            former.push(f"c-{self.pushed}", "SEND_MESSAGE", payload, "pms")


@dataclass(frozen=True)
class Way:
    """How it is handed over: what is lost of each request, whether the leader noted its ids, after
    which requests it works on what it has by then."""

    cuts: list[str]
    has_ids: bool
    batch: int
    works_after: frozenset[int] = frozenset()


@contextmanager
def world() -> Iterator[tuple[World, Path]]:
    with TemporaryDirectory(dir=_IN_MEMORY) as directory:
        found = World(former_leader(Path(directory)))
        yield found, Path(directory)


def until_done(aside: Path, peer: Peer) -> HandedOver:
    while True:
        try:
            return hand_over(aside, since_of(aside, peer), peer)
        except HandOverError:
            assert not aside.with_name(MARKER).exists()


def held(side: Side) -> dict[str, Any]:
    """All that may never be lost of a database, by its ids."""
    return {
        table: {row["id"]: row for row in side.rows(table)}
        for table in ("inbox", "outbox", "commands", "guests", "history")
    }


@pytest.mark.thorough
@given(
    before=st.lists(STEP, max_size=12),
    tail=st.lists(STEP, max_size=20),
    leaders=st.lists(st.tuples(st.sampled_from(["takes", "answers"]), st.integers(0, 20))),
    way=st.builds(
        Way,
        CUTS,
        st.booleans(),
        st.sampled_from([1, 2, 100]),
        st.frozensets(st.integers(1, 12)),
    ),
)
@example(
    before=[("receive", 0), ("answer", 0)],
    tail=[("sent", 0), ("receive", 2), ("answer", 0), ("sent", 0), ("report", 0)],
    leaders=[],
    way=Way(["after", "before", "after"], has_ids=True, batch=1, works_after=frozenset(range(12))),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_is_lost_and_nothing_goes_twice(
    before: list[tuple[str, int]],
    tail: list[tuple[str, int]],
    leaders: list[tuple[str, int]],
    way: Way,
) -> None:
    with world() as (found, directory):
        for step in before:
            found.step(*step)
        leader = copied(found.former, directory, ids=way.has_ids)
        for step in tail:
            found.step(*step)
        took = _meanwhile(leader, found, leaders)
        peer, aside = Peer(leader), found.former.database.path
        peer.cut = lambda number: way.cuts[number - 1] if number <= len(way.cuts) else None
        claimed: Counter[str] = Counter()

        def work(number: int) -> None:
            if number in way.works_after:
                claimed.update(row.idempotency_key for row in leader.work(in_doubt=True))

        peer.on_taken = work
        had = held(leader)
        with patch.object(handing_over, "LARGEST_BATCH", way.batch):
            until_done(aside, peer)
            _is_still_there(had, held(leader))
            assert leader.names() >= found.former.names()
            if found.pushed:
                assert len(leader.rows("commands")) == found.pushed
            _twice_is_once(aside, peer, leader)
        claimed.update(row.idempotency_key for row in leader.work())
        assert not found.noted & claimed.keys()
        assert all(count == 1 for count in claimed.values())
        assert not took & claimed.keys()
        # Every guest's message is answered by one of the two.
        answered = claimed.keys() | found.sent.keys() | took
        assert answered >= {f"reply-{event['data']['uuid']}" for event in found.events}
        close(found.former, leader)


def _meanwhile(leader: Side, found: World, steps: list[tuple[str, int]]) -> set[str]:
    """The leader has the same events by its own door, and answers some; the keys of those."""
    took = set()
    for what, number in steps:
        if found.events and what == "takes":
            leader.receive(found.events[number % len(found.events)], held=True)
        for row in leader.database.all("SELECT id FROM inbox WHERE state = 'received'"):
            claimed = leader.answer(row["id"]) if what == "answers" else None
            if claimed is not None:
                leader.send(claimed)
                took.add(claimed.idempotency_key)
    return took


def _is_still_there(had: dict[str, Any], now: dict[str, Any]) -> None:
    for table, rows in had.items():
        assert now[table].keys() >= rows.keys()
        for row_id, row in rows.items():
            # What the leader itself works on changes: forward, as its own tests have it.
            if table in ("guests", "history", "commands"):
                assert now[table][row_id] == row


def _twice_is_once(aside: Path, peer: Peer, leader: Side) -> None:
    peer.on_taken = lambda _number: None
    tables = (held(leader), leader.rows("echoes"))
    aside.with_name(MARKER).unlink()
    again = until_done(aside, peer)
    assert (again.new, again.settled, again.refused) == (0, 0, 0)
    assert (held(leader), leader.rows("echoes")) == tables

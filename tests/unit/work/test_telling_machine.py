"""Telling the cloud, against whatever order of outages, lost answers, crashes and repetitions.

At the end the cloud has every event that it doesn't reject, once after its dedupe by id, those of
a guest in the order in which they happened.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.events import outgoing
from app.messages import dead_letters
from app.messages.dead_letters import DeadLetters, LetterKind, Sieve
from app.store.database import to_ms
from app.work import telling
from app.work.asking_cloud import CloudError
from app.work.desk import make_desk
from app.work.telling import Telling
from tests.support.told import SETTINGS, Ear
from tests.unit.work.conftest import Clock
from tests.unit.work.conftest import settings as desk_settings

GUESTS = (b"a" * 32, b"b" * 32)
PARK_AFTER = timedelta(hours=1)


class CrashedError(Exception):
    """The process is gone here."""


class TellingMachine(RuleBasedStateMachine):
    """Rules are what can happen; the invariants are what we promise."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.clock = Clock()
        self.ear = Ear()
        self.ear.refuses = lambda event: bool(event["payload"]["unwanted"])
        self.patches: list[Any] = [
            patch.object(module, "now_ms", lambda: to_ms(self.clock.now))
            for module in (outgoing, dead_letters)
        ]
        self.patches.append(patch.object(telling, "MOST", 3))  # several batches of a few events
        for one in self.patches:
            one.start()
        self.desk = make_desk(desk_settings(Path(self.directory.name), **SETTINGS))
        self.letters = DeadLetters(self.desk.database, self.desk.seal)
        self.happened: list[tuple[str, int]] = []
        self.unwanted: set[int] = set()
        self.by_hand = False
        self.sent: list[list[dict[str, Any]]] = []
        self.start_node()

    def teardown(self) -> None:
        try:
            self.all_is_told_in_the_end()
        finally:
            for one in self.patches:
                one.stop()
            self.desk.database.close()
            self.directory.cleanup()

    def start_node(self) -> None:
        """A process that has just started, and remembers nothing."""
        self.node = Telling(self.desk, self.ear.client(), PARK_AFTER, self.clock)

    @rule(guest=st.sampled_from(GUESTS), unwanted=st.sampled_from([False] * 7 + [True]))
    def happens(self, guest: bytes, unwanted: bool) -> None:
        number = len(self.happened)
        self.happened.append((guest.hex(), number))
        if unwanted:
            self.unwanted.add(number)
        payload = {"number": number, "unwanted": unwanted}
        with self.desk.database.transaction(durable=False) as connection:
            self.desk.events.record(connection, "custom.test", payload, guest)

    @rule(mood=st.sampled_from(["up", "up", "down", "deaf", "broken", "busy", "confused"]))
    def tell(self, mood: str) -> None:
        self.ear.mood = mood
        self.with_memory(self.node.tell_batch)

    @rule()
    def crash_between_send_and_mark(self) -> None:
        self.ear.mood = "up"
        with patch.object(self.node, "_settle", side_effect=CrashedError):
            self.with_memory(self.node.tell_batch)
        self.start_node()

    @rule(data=st.data())
    def an_old_request_arrives_again(self, data: st.DataObject) -> None:
        if self.sent:
            self.ear.take(data.draw(st.sampled_from(self.sent)))

    @rule(minutes=st.sampled_from([1, 10, 40]))
    def time_passes(self, minutes: int) -> None:
        self.clock.later(timedelta(minutes=minutes))

    @rule()
    def a_person_replays_what_was_parked(self) -> None:
        for letter in self.letters.all(Sieve(LetterKind.EVENTS)):
            with self.desk.database.transaction(durable=False) as connection:
                self.letters.replay(connection, letter.kind, letter.row_id)
            # What is sent by hand comes when it is sent: its place in the order may be gone.
            self.by_hand = True

    @invariant()
    def the_cloud_has_each_once_and_in_order(self) -> None:
        for guest, numbers in self.ear.of_each_guest().items():
            assert len(numbers) == len(set(numbers))
            if not self.by_hand:
                assert numbers == sorted(numbers), guest

    def all_is_told_in_the_end(self) -> None:
        self.ear.mood = "up"
        self.a_person_replays_what_was_parked()
        while self.node.tell_batch():
            pass
        told = sorted(one for numbers in self.ear.of_each_guest().values() for one in numbers)
        assert told == [number for _, number in self.happened if number not in self.unwanted]
        left = [json.dumps(letter.note) for letter in self.letters.all(Sieve())]
        assert len(left) == len(self.unwanted)

    def with_memory(self, tell: Callable[[], int]) -> None:
        """Tell, and remember what went over the wire."""
        take = self.ear.take

        def remembered(events: list[dict[str, Any]]) -> dict[str, Any]:
            self.sent.append(events)
            return take(events)

        with patch.object(self.ear, "take", remembered), suppress(CloudError, CrashedError):
            tell()


TellingMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestTellingMachine = pytest.mark.thorough(TellingMachine.TestCase)

"""Alerts: one for one thing, the urgent first, tried again until a day is over."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from app.messages import alerts as alerts_module
from app.messages.alerts import CLAIM_TIME, GIVEN_UP_AFTER, LONGEST_WAIT, Alerts, Channel, Delivery
from app.sealing import Seal
from app.store.database import Database, open_database

SECOND = timedelta(seconds=1)


@dataclass
class Board:
    """The alerts over a file; ``clock`` is in milliseconds."""

    database: Database
    alerts: Alerts
    clock: int = 1_000_000_000

    def call(self, key: str, *, urgent: bool = False, text: str = "Ada (+390000000001)") -> bool:
        """Raise an alert; whether it is a new one."""
        with self.database.transaction() as connection:
            raised = self.alerts.raise_alert(
                connection, key=key, kind="person_wanted", guest=b"g", text=text, urgent=urgent
            )
        return raised is not None

    def claim(self) -> Delivery:
        """The next delivery, which must be there."""
        found = self.alerts.claim()
        assert found is not None
        return found

    def deliver(self, delivery: Delivery) -> bool:
        """Note it as delivered."""
        with self.database.transaction() as connection:
            return self.alerts.delivered(connection, delivery.delivery_id)

    def later(self, duration: timedelta) -> None:
        """Let time pass."""
        self.clock += int(duration.total_seconds() * 1000)

    def states(self) -> list[str]:
        """The states of all deliveries."""
        rows = self.database.all("SELECT state FROM alert_deliveries ORDER BY id")
        return [str(row["state"]) for row in rows]


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    database = open_database(tmp_path / "p.db")
    found = Board(database, Alerts(database, Seal({"k1": b"s" * 32}, b"i" * 32), [Channel.EMAIL]))
    monkeypatch.setattr(alerts_module, "now_ms", lambda: found.clock)
    yield found
    database.close()


def test_one_alert_for_one_thing(board: Board) -> None:
    assert board.call("a")
    assert not board.call("a")
    board.deliver(board.claim())
    assert board.alerts.claim() is None


def test_each_channel_has_a_delivery_of_its_own(board: Board) -> None:
    seal = Seal({"k1": b"s" * 32}, b"i" * 32)
    board.alerts = Alerts(board.database, seal, [Channel.SLACK, Channel.EMAIL])
    board.call("a")
    board.deliver(board.claim())
    assert board.states() == ["sent", "pending"]


def test_without_a_channel_the_alert_is_kept_all_the_same(board: Board) -> None:
    board.alerts = Alerts(board.database, Seal({"k1": b"s" * 32}, b"i" * 32), [])
    assert board.call("a")
    assert board.alerts.claim() is None


def test_the_urgent_go_first_then_the_oldest(board: Board) -> None:
    for key, urgent in (("1", False), ("2", False), ("3", True)):
        board.call(key, urgent=urgent, text=key)
    assert [board.claim().text for _ in range(3)] == ["3", "1", "2"]


def test_what_is_claimed_is_nobody_elses_until_whoever_claimed_it_is_gone(board: Board) -> None:
    board.call("a")
    assert board.claim().attempts == 1
    board.later(CLAIM_TIME - SECOND)
    assert board.alerts.claim() is None
    board.later(SECOND)
    assert board.claim().attempts == 2


def test_waits_grow_to_ten_minutes_and_end_after_a_day(board: Board) -> None:
    board.call("a")
    begun, waits = board.clock, []
    while True:
        at = board.clock
        delivery = board.claim()
        if not board.alerts.postpone(delivery, "no answer"):
            break
        board.clock = _next_at(board)
        waits.append(timedelta(milliseconds=board.clock - at))
    assert waits[:3] == [2 * SECOND, 4 * SECOND, 8 * SECOND]
    assert max(waits) == LONGEST_WAIT
    over = timedelta(milliseconds=board.clock - begun)
    assert GIVEN_UP_AFTER < over <= GIVEN_UP_AFTER + LONGEST_WAIT
    assert board.states() == ["failed"]


def _next_at(board: Board) -> int:
    row = board.database.one("SELECT next_at FROM alert_deliveries")
    assert row is not None
    return int(row["next_at"])


def test_a_channel_that_says_how_long_is_asked_then(board: Board) -> None:
    board.call("a")
    board.alerts.postpone(board.claim(), "slow down", timedelta(seconds=30))
    board.later(timedelta(seconds=29))
    assert board.alerts.claim() is None
    board.later(SECOND)
    assert board.claim()


def test_what_failed_is_not_tried_again(board: Board) -> None:
    board.call("a")
    board.alerts.failed(board.claim().delivery_id, "no such channel")
    board.later(GIVEN_UP_AFTER)
    assert board.alerts.claim() is None
    assert board.states() == ["failed"]


def test_one_that_can_not_be_opened_does_not_hold_up_the_next(board: Board) -> None:
    board.call("a", text="lost")
    board.call("b", text="good")
    with board.database.transaction() as connection:
        connection.execute("UPDATE alerts SET sealed_text = x'00' WHERE key = 'a'")
    assert board.claim().text == "good"
    assert board.states() == ["failed", "pending"]


def test_one_that_was_erased_meanwhile_is_neither_delivered_nor_postponed(board: Board) -> None:
    board.call("a")
    delivery = board.claim()
    with board.database.transaction() as connection:
        connection.execute("DELETE FROM alert_deliveries")
    assert not board.deliver(delivery)
    assert not board.alerts.postpone(delivery, "no answer")


def test_the_text_is_sealed_in_the_file(board: Board) -> None:
    board.call("a", text="Ada Esempio, +390000000001: aiuto")
    board.deliver(board.claim())
    board.database.close()
    files = board.database.path.parent.glob("p.db*")
    assert not any(b"Esempio" in file.read_bytes() for file in files)

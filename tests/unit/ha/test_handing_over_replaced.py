"""What a restore takes in again of the database that it put another in the place of."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.guests.booking import Booking, BookingStatus
from app.ha.asides import MARKER, RESTORED, is_handed_over
from app.ha.handing_over import HandedOver, hand_over, since_of
from app.store.database import connect
from tests.support.events import inbound
from tests.unit.ha.sides import OTHER, Peer, close, copied, former_leader

pytestmark = pytest.mark.thorough


class Restored:
    """The present database, and the earlier one that took its place; since then a guest was
    answered, another wasn't yet, and a booking was made."""

    def __init__(self, directory: Path) -> None:
        self.former = former_leader(directory)
        self.then = copied(self.former, directory)
        self.answered = self.former.replied("A che ora è la colazione?")
        self.waiting = inbound("Avete un parcheggio?", OTHER)
        self.former.receive(self.waiting)
        with self.former.database.transaction() as connection:
            booking = Booking("direct", "X-1", BookingStatus.CONFIRMED, phone=OTHER)
            self.former.bookings.upsert(connection, booking)
        self.peer = Peer(self.then)

    @property
    def aside(self) -> Path:
        return self.former.database.path

    def hand_back(self, *, replay: bool = True) -> HandedOver:
        self.aside.with_name(RESTORED).write_text(json.dumps({"replay": replay}))
        return hand_over(self.aside, since_of(self.aside, self.peer), self.peer)

    def replies(self) -> list[str]:
        """What the restored database sends once no doubt is left."""
        return [row.idempotency_key for row in self.then.work()]

    def damage(self, table: str) -> None:
        """Bytes that are no page, where the rows of a table begin."""
        self.former.database.close_all()
        with closing(connect(self.aside)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (root,) = connection.execute(
                "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
            ).fetchone()
        with self.aside.open("rb+") as file:
            file.seek((root - 1) * 4096)
            file.write(b"\xff" * 4096)


@pytest.fixture
def restored(tmp_path: Path) -> Iterator[Restored]:
    found = Restored(tmp_path)
    yield found
    close(found.former, found.then)


def reply_to(event: dict[str, object]) -> str:
    data = event["data"]
    assert isinstance(data, dict)
    return f"reply-{data['uuid']}"


def test_what_came_in_is_there_again_what_was_sent_is_not_sent_bookings_are_as_then(
    restored: Restored,
) -> None:
    restored.hand_back()
    assert len(restored.then.names()) == 2
    assert restored.then.rows("bookings") == []
    assert restored.replies() == [reply_to(restored.waiting)]
    assert is_handed_over(restored.aside.parent)


def test_without_replay_nothing_comes_in_and_what_was_sent_is_known_all_the_same(
    restored: Restored,
) -> None:
    restored.hand_back(replay=False)
    assert restored.then.names() == set()
    # The provider posts it once more: the answer is known to be with the guest.
    restored.then.receive(restored.answered)
    assert restored.replies() == []


def test_what_can_not_be_read_is_left_and_kept_for_ever(restored: Restored) -> None:
    restored.damage("inbox")
    done = restored.hand_back()
    assert done.refused > 0
    assert restored.then.names() == set()
    # The rest was read.
    restored.then.receive(restored.answered)
    assert restored.replies() == []
    assert restored.aside.with_name(MARKER).exists()
    assert not is_handed_over(restored.aside.parent)


def test_a_file_of_which_nothing_can_be_read_holds_nobody_up(
    restored: Restored, tmp_path: Path
) -> None:
    since = since_of(restored.aside, restored.peer)
    broken = tmp_path / "broken" / "portiere.db"
    broken.parent.mkdir()
    broken.write_bytes(b"no database" * 1000)
    broken.with_name(RESTORED).write_text(json.dumps({"replay": True}))
    assert hand_over(broken, since, restored.peer).refused > 0
    assert broken.with_name(MARKER).exists()


def test_what_was_not_replaced_is_handed_over_whole(restored: Restored) -> None:
    """Without the file of a restore all of it is handed over, as a former leader's is."""
    hand_over(restored.aside, since_of(restored.aside, restored.peer), restored.peer)
    assert len(restored.then.rows("bookings")) == 1

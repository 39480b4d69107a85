"""What only a former leader's database has reaches the leader, once, and nothing is sent twice."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.guests.booking import Booking, BookingStatus
from app.ha import handing_over
from app.ha.asides import is_handed_over
from app.ha.handing_over import MARKER, HandedOver, HandOverError, Since, hand_over, since_of
from app.messages.conversations import Conversations
from app.messages.outbox import Draft
from app.messages.outgoing import Kind, Text
from app.work.jobs import Job
from tests.support.events import GUEST, inbound
from tests.support.flips import PAGE, flip
from tests.unit.ha.sides import OTHER, SEAL, Peer, close, copied, former_leader, report_of

pytestmark = pytest.mark.thorough

BOOKING = Booking("direct", "X-1", BookingStatus.CONFIRMED)


class Both:
    """A former leader, and the leader with a copy of it from a moment before its end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.former = former_leader(directory)
        self.before = self.former.replied("Ciao, prima")

    def part(self, *, ids: bool = True, resend: bool = True) -> None:
        self.leader = copied(self.former, self.directory, ids=ids)
        self.peer = Peer(self.leader, resend)

    @property
    def aside(self) -> Path:
        return self.former.database.path

    def hand_over(self) -> HandedOver:
        return hand_over(self.aside, since_of(self.aside, self.peer), self.peer)

    def again(self) -> HandedOver:
        """As if nobody knew that it was done."""
        self.aside.with_name(MARKER).unlink()
        return self.hand_over()


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    found = Both(tmp_path)
    yield found
    close(found.former, found.leader)


def test_a_message_that_only_the_old_leader_had_is_accepted_and_answered(both: Both) -> None:
    both.part()
    event = inbound("Avete un parcheggio?")
    both.former.receive(event)
    assert both.hand_over().new == 1
    row = both.leader.one("SELECT * FROM inbox WHERE event_id = ?", event["event_uuid"])
    assert row["state"] == "received"
    assert both.leader.jobs == [(Job.ANSWER_MESSAGE, row["id"])]
    assert len(both.leader.work()) == 1


def test_an_answer_that_the_old_leader_sent_is_not_sent_again(both: Both) -> None:
    both.part()
    both.former.replied("A che ora?")
    assert both.hand_over().new == 1
    assert both.leader.work() == []
    sent = both.leader.one("SELECT * FROM outbox ORDER BY id DESC")
    assert sent["state"] == "sent"
    assert (
        sent["provider_id"]
        == both.former.one("SELECT * FROM outbox ORDER BY id DESC")["provider_id"]
    )


def test_an_answer_that_was_replicated_unsent_is_settled(both: Both) -> None:
    row_id = both.former.receive(inbound("C'è la colazione?"))
    claimed = both.former.answer(row_id or 0)
    both.part()
    assert claimed is not None
    both.former.send(claimed)
    told = both.hand_over()
    assert (told.new, told.settled) == (0, 1)
    assert both.leader.work() == []


def test_what_both_have_sent_is_told(both: Both) -> None:
    event = inbound("Il codice?")
    both.part()
    for side in (both.former, both.leader):
        claimed = side.answer(side.receive(event) or 0)
        assert claimed is not None
        side.send(claimed)
    assert both.hand_over().differs == 1


def test_a_report_that_nobody_had_read_counts_before_its_message(both: Both) -> None:
    """The worker died with its send noted nowhere; the report lay in the old leader's inbox."""
    both.part()
    claimed = both.former.answer(both.former.receive(inbound("Un taxi?")) or 0)
    assert claimed is not None
    both.former.receive(report_of(claimed.idempotency_key, "itsid"))
    both.hand_over()
    assert both.leader.work() == []
    assert both.leader.one("SELECT * FROM outbox ORDER BY id DESC")["provider_id"] == "itsid"


def test_a_send_in_doubt_is_waited_for(both: Both) -> None:
    both.part()
    row_id = both.former.receive(inbound("Posso fumare?"))
    assert both.former.answer(row_id or 0) is not None  # and died
    both.hand_over()
    row = both.leader.one("SELECT * FROM inbox ORDER BY id DESC")
    assert row["held_until"] > row["received_at"]
    assert both.leader.jobs == []
    assert both.leader.inbox.open_row(row["id"]) is None


def test_a_send_in_doubt_is_never_made_again_where_a_person_decides(both: Both) -> None:
    both.part(resend=False)
    row_id = both.former.receive(inbound("Posso fumare?"))
    assert both.former.answer(row_id or 0) is not None
    both.hand_over()
    assert both.leader.work() == []
    assert both.leader.one("SELECT * FROM outbox ORDER BY id DESC")["state"] == "failed"


def test_a_failure_that_was_sent_on_its_way_again_stays_on_it(both: Both) -> None:
    row_id = both.former.receive(inbound("Wifi?"))
    claimed = both.former.answer(row_id or 0)
    assert claimed is not None
    both.former.receive(report_of(claimed.idempotency_key, "itsid", "Error"))
    both.former.database.connection.execute(
        "UPDATE outbox SET state = 'failed', provider_id = 'itsid' WHERE id = ?",
        (claimed.row_id,),
    )
    both.part()
    both.leader.database.connection.execute(
        "UPDATE outbox SET state = 'pending', provider_id = NULL WHERE id = ?", (claimed.row_id,)
    )
    both.hand_over()
    row = both.leader.one("SELECT * FROM outbox WHERE id = ?", claimed.row_id)
    assert row["state"] == "pending"


def test_the_24_hours_of_a_guest_count_from_when_they_wrote(both: Both) -> None:
    both.part()
    event = inbound("Siamo in ritardo")
    both.former.receive(event)
    both.former.database.connection.execute(
        "UPDATE inbox SET received_at = received_at - 7200000 WHERE event_id = ?",
        (event["event_uuid"],),
    )
    both.hand_over()  # by its id, however old it is
    sql = "SELECT received_at FROM inbox WHERE event_id = ?"
    told, kept = (side.one(sql, event["event_uuid"]) for side in (both.former, both.leader))
    assert tuple(told) == tuple(kept)


def test_a_clock_that_was_set_back_hides_nothing(both: Both) -> None:
    """A message was replicated; its answer went out by a clock of five minutes earlier."""
    row_id = both.former.receive(inbound("Avete culle?"))
    both.part(ids=False)
    claimed = both.former.answer(row_id or 0)
    assert claimed is not None
    both.former.send(claimed)
    both.former.receive(late := inbound("Grazie"))
    back = 300_000
    for sql in (
        f"UPDATE leadership SET beat = beat + 5, beat_at = beat_at - {back}",
        f"UPDATE outbox SET created_at = created_at - {back}, sending_at = sending_at - {back}, "
        f"sent_at = sent_at - {back} WHERE id = {claimed.row_id}",
        f"UPDATE inbox SET received_at = received_at - {back} "
        f"WHERE event_id = '{late['event_uuid']}'",
    ):
        both.former.database.connection.execute(sql)
    both.hand_over()
    assert [row.idempotency_key for row in both.leader.work()] == [f"reply-{late['data']['uuid']}"]


def test_guests_and_bookings_that_the_leader_lacks_come_with_their_history(both: Both) -> None:
    both.part()
    with both.former.database.transaction() as connection:
        both.former.guests.seen(connection, OTHER, "Ada Esempio", "en")
        both.former.bookings.upsert(connection, replace(BOOKING, phone=OTHER))
    told = both.hand_over()
    assert told.new == 2
    guest = both.leader.guests.find(OTHER)
    assert guest is not None
    assert (guest.name, guest.language) == ("Ada Esempio", "en")
    booking = both.leader.one("SELECT * FROM bookings")
    assert (booking["code"], booking["guest"]) == ("X-1", SEAL.index(OTHER))
    history = both.leader.rows("history")
    assert [row["event"] for row in history] == ["guest_created", "booking_created"]
    for row in history:
        SEAL.open(row["sealed_detail"], f"history.detail:{row['id']}")
    assert history[1]["booking_id"] == booking["id"]


def test_what_the_leader_has_otherwise_stays_and_is_told(both: Both) -> None:
    both.part()
    for side, status in ((both.former, "confirmed"), (both.leader, "cancelled")):
        with side.database.transaction() as connection:
            side.bookings.upsert(connection, replace(BOOKING, status=BookingStatus(status)))
    assert both.hand_over().differs == 1
    assert both.leader.one("SELECT status FROM bookings")["status"] == "cancelled"


def test_a_guest_whom_the_leader_erased_stays_erased(both: Both) -> None:
    with both.former.database.transaction() as connection:
        both.former.guests.seen(connection, GUEST, "Ada Esempio")
    both.part()
    both.leader.database.connection.execute("DELETE FROM guests")
    assert both.hand_over().new == 0
    assert both.leader.rows("guests") == []


def test_commands_that_nobody_carried_out_are_kept_once(both: Both) -> None:
    both.part()
    both.former.push("c-1", "SEND_MESSAGE", {"phone": OTHER, "text": "Benvenuta"}, "pms")
    done = both.former.push("c-2", "CREATE_GUEST", {"phone": OTHER}, "pms")
    both.former.database.connection.execute(
        "UPDATE commands SET state = 'done' WHERE id = ?", (done,)
    )
    assert both.hand_over().new == 1
    row = both.leader.one("SELECT * FROM commands")
    assert (row["command_id"], row["client"], row["state"]) == ("c-1", "pms", "received")
    assert both.leader.jobs == [(Job.RUN_COMMAND, row["id"])]
    assert both.again().new == 0


def test_what_nothing_would_write_again_is_handed_over_as_it_is(both: Both) -> None:
    """A person's message, and that of a client's command which is done: its payload is gone."""
    both.part()
    both.former.push("c-1", "CREATE_GUEST", {"phone": OTHER}, "pms")
    both.former.push("c-2", "CREATE_GUEST", {"phone": OTHER}, "cloud")
    both.former.database.connection.execute("UPDATE commands SET state = 'done'")
    for key, kind in (
        ("person-1", Kind.PERSON),
        ("command:c-1:0", Kind.NOTICE),
        ("command:c-2", Kind.NOTICE),  # the cloud offers it again
        ("command:c-10", Kind.NOTICE),
    ):
        with both.former.database.transaction() as connection:
            both.former.outbox.add(connection, Draft(key, GUEST, kind, Text("A domani"), "it"))
    both.hand_over()
    keys = {row["idempotency_key"] for row in both.leader.rows("outbox") if not row["inbox_id"]}
    assert keys == {"person-1", "command:c-1:0"}
    assert [job for job, _ in both.leader.jobs] == [Job.DELIVER_MESSAGE] * 2
    assert {row.idempotency_key for row in both.leader.work()} >= {"person-1"}


def test_a_conversation_that_a_person_took_stays_theirs(both: Both) -> None:
    erased = "+390000000003"
    with both.former.database.transaction() as connection:
        for phone in (GUEST, OTHER, erased):
            both.former.guests.seen(connection, phone)
    both.part()
    both.leader.database.connection.execute(
        "DELETE FROM guests WHERE guest = ?", (SEAL.index(erased),)
    )
    mine, theirs = Conversations(both.former.database), Conversations(both.leader.database)
    guests = [SEAL.index(phone) for phone in (GUEST, OTHER, erased)]
    with both.former.database.transaction() as connection:
        for guest in guests:
            mine.take(connection, guest, "Ada")
    with both.leader.database.transaction() as connection:
        theirs.remember_topic(connection, guests[1], "check_in")
    told = both.hand_over()
    assert (told.new, told.differs) == (1, 1)
    assert [theirs.of(guest).held_by for guest in guests] == ["Ada", None, None]
    assert both.again().new == 0


def test_what_a_tool_told_the_cloud_is_told_by_the_leader(both: Both) -> None:
    both.part()
    with both.former.database.transaction() as connection:
        both.former.events.record(connection, "custom.boiler", {"bar": 2}, event_id="tool:1")
        both.former.events.record(connection, "emergency.raised", {"inbox_id": 1})
    assert both.hand_over().new == 1
    assert [row["event_id"] for row in both.leader.rows("cloud_events")] == ["tool:1"]


def test_handing_over_twice_is_handing_over_once(both: Both) -> None:
    both.part()
    both.former.replied("Uno")
    both.former.receive(inbound("Due", OTHER))
    first = both.hand_over()
    assert both.hand_over() == first  # by what the marker says
    asked = both.peer.asked
    held = (both.leader.names(), both.leader.rows("outbox"), both.leader.rows("echoes"))
    again = both.again()
    assert both.peer.asked > asked
    assert (again.new, again.settled, again.known) == (0, 0, again.offered)
    assert (both.leader.names(), both.leader.rows("outbox"), both.leader.rows("echoes")) == held


def test_it_goes_on_where_it_was_interrupted(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing_over, "LARGEST_BATCH", 2)
    both.part()
    for number in range(9):
        both.former.receive(inbound(f"Messaggio {number}"))
    both.peer.cut = lambda number: "after" if number == 4 else None
    with pytest.raises(HandOverError, match="ReadTimeout"):
        both.hand_over()
    assert not both.aside.with_name(MARKER).exists()
    both.peer.cut = lambda _number: None
    told = both.hand_over()
    assert both.peer.asked < 11  # not from the start
    assert both.leader.names() >= both.former.names()
    assert told.new == 7  # of two the answer was lost: they count as known
    assert json.loads(both.aside.with_name(MARKER).read_text())["to_term"] == 2


def test_with_another_leader_it_begins_anew(both: Both) -> None:
    both.part()
    both.former.receive(inbound("Ciao"))
    since = since_of(both.aside, both.peer)
    both.leader.begin(3, "vps")
    with pytest.raises(HandOverError, match="409"):
        hand_over(both.aside, since, both.peer)
    assert since_of(both.aside, both.peer) == replace(since, term=3)
    assert both.hand_over().new == 1


def test_a_leader_of_an_earlier_term_gets_nothing(both: Both) -> None:
    both.part()
    with pytest.raises(HandOverError, match="term 1"):
        hand_over(both.aside, Since(term=1), both.peer)
    assert both.peer.asked == 0


def test_what_the_leader_cannot_open_is_counted_and_the_rest_goes_on(both: Both) -> None:
    both.part()
    both.former.receive(event := inbound("Ciao"))
    both.former.receive(inbound("Ciao?"))
    both.former.database.connection.execute(
        "UPDATE inbox SET sealed_body = x'026b31ff' WHERE event_id = ?", (event["event_uuid"],)
    )
    told = both.hand_over()
    assert (told.refused, told.new) == (1, 1)


def test_a_note_of_another_kind_has_all_offered(both: Both) -> None:
    both.part()
    both.leader.database.connection.execute("UPDATE terms SET note = 'restored' WHERE term = 2")
    assert since_of(both.aside, both.peer) == Since(term=2)
    assert both.hand_over().offered >= 2


def test_nothing_of_a_guest_is_told(both: Both, capfd: pytest.CaptureFixture[str]) -> None:
    both.part()
    both.former.replied("Parola segreta", OTHER)
    with both.former.database.transaction() as connection:
        both.former.guests.seen(connection, OTHER, "Ada Esempio")
    both.former.database.connection.execute("UPDATE history SET sealed_detail = x'00'")
    assert both.hand_over().refused == 1
    assert both.leader.rows("guests") == []  # nor half of them
    told = "".join(capfd.readouterr())
    told += json.dumps(both.leader.rows("audit")) + both.aside.with_name(MARKER).read_text()
    for secret in (OTHER, OTHER.lstrip("+"), "Esempio", "Parola", SEAL.index(OTHER).hex()):
        assert secret not in told
    assert {row["actor"] for row in both.leader.rows("audit")} == {"mac"}


def test_since_is_what_the_first_term_afterwards_began_with(both: Both) -> None:
    both.part()
    first = since_of(both.aside, both.peer)
    later = json.dumps({"beat": 99, "beat_at": 9_999_999_999_999})
    both.leader.begin(3, "vps", later)
    found = since_of(both.aside, both.peer)
    assert (found.term, found.beat, found.beat_at) == (3, first.beat, first.beat_at)
    assert found.ids["inbox"] == 1


def test_a_file_that_is_no_database_is_left_and_never_deleted(both: Both) -> None:
    both.part()
    broken = both.directory / "broken" / "portiere.db"
    broken.parent.mkdir()
    broken.write_bytes(b"no database" * 1000)
    told = hand_over(broken, since_of(broken, both.peer), both.peer)
    assert (told.refused, told.new) == (1, 0)
    # It isn't tried again, and it isn't whole.
    assert broken.with_name(MARKER).exists()
    assert not is_handed_over(broken.parent)


def test_of_a_file_that_is_damaged_the_rest_is_handed_over(both: Both) -> None:
    both.part()
    for _ in range(3):
        both.former.receive(inbound("Ciao"))
    root = both.former.rows("sqlite_schema WHERE name = 'bookings'")[0]["rootpage"]
    both.former.database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    flip(both.aside, (root - 1) * PAGE, 0xFF)
    told = both.hand_over()
    assert told.new >= 3
    assert told.refused >= 1
    assert not is_handed_over(both.aside.parent)


def test_a_file_that_cannot_be_opened_now_is_not_handed_over(both: Both) -> None:
    both.part()
    since = since_of(both.aside, both.peer)
    with pytest.raises(HandOverError, match="can't be read"):
        hand_over(both.directory / "nowhere.db", since, both.peer)


def test_a_leader_that_is_away_is_asked_again_later(both: Both) -> None:
    both.part()
    both.peer.cut = lambda _number: "before"
    both.former.receive(inbound("Ciao"))
    with pytest.raises(HandOverError, match="ConnectError") as raised:
        both.hand_over()
    assert raised.value.after is None

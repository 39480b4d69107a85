"""One round does all that is due, and one duty that fails doesn't keep the others."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from app.guests.booking import Booking, BookingStatus
from app.guests.request import RequestKind, RequestState
from app.guests.requests import NewRequest
from app.messages import audit, echoes, nonces
from app.messages.events import Delivery, StatusReport
from app.work.desk import Desk
from app.work.rounds import Rounds
from tests.unit.work.conftest import GUEST, Clock, outbox, settings

EVENING = datetime(2026, 11, 24, 19, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def book(desk: Desk, code: str, leaves: datetime) -> None:
    with desk.database.transaction() as connection:
        desk.bookings.upsert(
            connection,
            Booking("direct", code, BookingStatus.CONFIRMED, GUEST, departure=leaves.date()),
        )


def test_a_round_does_all_that_is_due(desk: Desk, clock: Clock, tmp_path: Path) -> None:
    clock.now = EVENING
    book(desk, "A-1", EVENING + DAY)
    book(desk, "A-2", EVENING - DAY)
    with desk.database.transaction() as connection:
        desk.requests.make(
            connection,
            NewRequest(
                RequestKind.LATE_CHECKOUT,
                GUEST,
                "…",
                RequestState.OFFERED,
                price=Decimal(25),
                currency="EUR",
                # Requests go by the machine's own clock.
                expires_at=datetime.now(UTC) - DAY,
            ),
        )
    rounds = Rounds(settings(tmp_path), desk, clock)
    assert rounds.go_round() == {"notices": 1, "offers_expired": 1, "stays_ended": 1}
    assert rounds.go_round() == {}


def test_stays_are_ended_once_a_day(desk: Desk, clock: Clock, tmp_path: Path) -> None:
    rounds = Rounds(settings(tmp_path), desk, clock)
    clock.now = EVENING
    rounds.go_round()
    book(desk, "A-1", EVENING - DAY)
    assert rounds.go_round() == {}
    clock.later(DAY)
    assert rounds.go_round() == {"stays_ended": 1}


def test_what_can_not_be_opened_keeps_nothing_else_from_being_done(
    desk: Desk, clock: Clock, tmp_path: Path
) -> None:
    clock.now = EVENING
    book(desk, "A-1", EVENING + DAY)
    with desk.database.transaction() as connection:
        connection.execute("UPDATE guests SET sealed_phone = x'00'")
        connection.execute(
            "INSERT INTO requests (guest, kind, state, sealed_detail, created_at, expires_at)"
            " VALUES (?, 'transfer', 'offered', x'', 0, 1)",
            (desk.seal.index(GUEST),),
        )
    assert Rounds(settings(tmp_path), desk, clock).go_round() == {"offers_expired": 1}
    assert outbox(desk) == []


def test_the_thread_goes_its_first_round_at_once_and_ends(
    desk: Desk, clock: Clock, tmp_path: Path
) -> None:
    clock.now = EVENING
    book(desk, "A-1", EVENING + DAY)
    rounds = Rounds(settings(tmp_path), desk, clock)
    rounds.start()
    rounds.stop()
    assert len(outbox(desk)) == 1


def test_who_called_is_forgotten_after_its_time(desk: Desk, clock: Clock, tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - DAY
    with desk.database.transaction() as connection:
        nonces.spend(connection, "cloud", "a-nonce", long_ago)
        audit.record(connection, actor="cloud", action="queue.paused")
        connection.execute("UPDATE audit SET at = 0")
        audit.record(connection, actor="cloud", action="queue.resumed")
        echoes.keep(connection, StatusReport("id", "reply-1", Delivery.SENT))
        connection.execute("UPDATE echoes SET at = 0")
        echoes.keep(connection, StatusReport("id", "reply-2", Delivery.SENT))
    assert Rounds(settings(tmp_path), desk, clock).go_round() == {"forgotten": 3}
    assert [row[0] for row in desk.database.all("SELECT idempotency_key FROM echoes")] == [
        "reply-2"
    ]
    assert [entry.action for entry in audit.entries(desk.database)] == ["queue.resumed"]

"""The evening before departure: once, in the guest's language, by the property's clock."""

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from app.guests.booking import Booking, BookingStatus
from app.guests.guest import Guest
from app.messages import outbox as outbox_module
from app.messages.outgoing import Kind
from app.store.database import to_ms
from app.work.desk import Desk
from app.work.notices import announce_departures, close_past_days
from tests.unit.work.conftest import GUEST, OTHER, Clock, DeskMaker, message, outbox

SIX = time(18)
# The example's property is in Rome, an hour before UTC in November.
EVENING = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
TOMORROW = date(2026, 11, 25)
DAY = timedelta(days=1)


def book(
    desk: Desk,
    code: str = "A-1",
    phone: str | None = GUEST,
    *,
    departure: date = TOMORROW,
    language: str | None = "en",
    status: BookingStatus = BookingStatus.CONFIRMED,
) -> int:
    with desk.database.transaction() as connection:
        if phone is not None:
            desk.guests.put(connection, Guest(phone, language=language))
        return desk.bookings.upsert(
            connection,
            Booking(
                "direct", code, status, phone, arrival=departure - 2 * DAY, departure=departure
            ),
        )


def status(desk: Desk, booking_id: int) -> str:
    row = desk.database.one("SELECT status FROM bookings WHERE id = ?", (booking_id,))
    assert row is not None
    return str(row["status"])


def test_who_leaves_tomorrow_is_told_how(desk: Desk) -> None:
    book(desk)
    assert announce_departures(desk, SIX, EVENING) == 1
    (row,) = outbox(desk)
    assert row["kind"] == Kind.NOTICE
    assert re.fullmatch(r"departure_instructions:[0-9a-f]{32}:2026-11-25", row["idempotency_key"])
    for told in ("Pensione Aurora", "25 November 2026", "10:30 am", "leave the key on"):
        assert told in message(desk, row)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("it", "entro le 10:30. Lasci la chiave"),
        ("de", "bis 10:30 Uhr frei. Bitte legen"),
        ("fr", "à 10 h 30 au plus tard. Merci de laisser"),
        ("es", "antes de las 10:30. Deje la llave"),
        (None, "entro le 10:30"),  # nothing is known: the property's own
        ("nl", "check out by 10:30 am"),  # not spoken here: English
    ],
)
def test_the_guests_language_is_written(desk: Desk, language: str | None, told: str) -> None:
    book(desk, language=language)
    announce_departures(desk, SIX, EVENING)
    assert told in message(desk, outbox(desk)[0])


@pytest.mark.parametrize(
    ("minutes", "written"),
    [(-1, 0), (0, 1), (359, 1), (360, 0)],  # midnight in Rome, six hours later, begins another day
)
def test_it_is_written_from_the_hour_until_midnight_of_the_property(
    desk: Desk, minutes: int, written: int
) -> None:
    book(desk)
    assert announce_departures(desk, SIX, EVENING + timedelta(minutes=minutes)) == written


def test_it_is_written_once(desk: Desk) -> None:
    book(desk)
    assert announce_departures(desk, SIX, EVENING) == 1
    assert announce_departures(desk, SIX, EVENING + timedelta(minutes=1)) == 0
    assert len(outbox(desk)) == 1


def test_who_stays_longer_is_told_again_of_the_new_day(desk: Desk) -> None:
    book(desk)
    announce_departures(desk, SIX, EVENING)
    book(desk, departure=TOMORROW + DAY)
    assert announce_departures(desk, SIX, EVENING + DAY) == 1


def test_who_booked_two_rooms_gets_one_message(desk: Desk) -> None:
    book(desk, "A-1")
    book(desk, "A-2")
    announce_departures(desk, SIX, EVENING)
    first, second = (int(row["id"]) for row in outbox(desk))
    with desk.database.transaction() as connection:
        connection.execute("UPDATE outbox SET state = 'sent', sent_at = 1 WHERE id = ?", (first,))
    assert desk.outbox.claim(second) is None
    assert [row["rule"] for row in outbox(desk)] == [None, "duplicate"]


@pytest.mark.parametrize(
    "odd",
    [
        {"departure": TOMORROW + DAY},
        {"departure": TOMORROW - DAY},
        {"status": BookingStatus.REQUESTED},
        {"status": BookingStatus.CANCELLED},
        {"phone": None},
    ],
)
def test_nobody_else_is_told(desk: Desk, odd: dict[str, object]) -> None:
    book(desk, **odd)  # type: ignore[arg-type]  # of several types
    assert announce_departures(desk, SIX, EVENING) == 0


def test_without_a_time_of_check_out_nothing_is_said(make: DeskMaker, tmp_path: Path) -> None:
    file = tmp_path / "bare.yml"
    file.write_text(
        "name: A\ndefault_language: it\ntime_zone: Europe/Rome\nemergency_number: '112'\n"
    )
    desk = make(property_file=file)
    book(desk)
    assert announce_departures(desk, SIX, EVENING) == 0


def test_without_instructions_the_rest_is_said(make: DeskMaker, tmp_path: Path) -> None:
    file = tmp_path / "bare.yml"
    file.write_text(
        "name: A\ndefault_language: it\ntime_zone: Europe/Rome\nemergency_number: '112'\n"
        "check_out:\n  until: 10:00\n"
    )
    desk = make(property_file=file)
    book(desk)
    assert announce_departures(desk, SIX, EVENING) == 1
    assert "by 10 am. If you need anything before you leave" in message(desk, outbox(desk)[0])


def test_stays_whose_last_day_is_over_are_ended(desk: Desk) -> None:
    over, older, today = (
        book(desk, "A-1", departure=TOMORROW),
        book(desk, "A-2", OTHER, departure=TOMORROW - 9 * DAY),
        book(desk, "A-3", "+390000000003", departure=TOMORROW + DAY),
    )
    asked = book(desk, "A-4", departure=TOMORROW, status=BookingStatus.REQUESTED)
    past_midnight = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)  # the 26th in Rome
    assert close_past_days(desk, past_midnight - timedelta(hours=1)) == 1  # still the 25th
    assert close_past_days(desk, past_midnight) == 1
    states = [status(desk, one) for one in (over, older, today, asked)]
    assert states == ["ended", "ended", "confirmed", "requested"]


def test_a_notice_that_a_person_held_up_is_not_sent_after_the_stay(
    desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "now_ms", lambda: to_ms(clock.now))
    book(desk)
    clock.now = EVENING
    announce_departures(desk, SIX, clock.now)
    close_past_days(desk, EVENING + DAY)
    assert outbox(desk)[0]["state"] == "pending"
    close_past_days(desk, EVENING + 2 * DAY)
    assert outbox(desk)[0]["state"] == "refused"

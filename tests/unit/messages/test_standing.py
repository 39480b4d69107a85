"""How things stand, read from a real database: each rule through `Outbox.claim`, on its row."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.guests.booking import Booking, BookingStatus
from app.guests.bookings import Bookings
from app.guests.guest import Consent
from app.guests.guests import Guests
from app.messages.conversations import Conversations
from app.messages.outgoing import Kind, Text
from app.messages.rules import QuietHours
from app.store.database import to_ms
from tests.unit.messages.front import (
    BOOK,
    CALIFORNIA,
    CLOCKS,
    DEPARTURE,
    FALLBACK,
    GUEST,
    IN_CALIFORNIA,
    LIMITS,
    OTHER,
    ROME,
    Front,
    make_front,
)

NEVER_QUIET = replace(BOOK, quiet=QuietHours(dt.time(0), dt.time(0)))


@pytest.fixture
def front(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Front]:
    found = make_front(tmp_path, getattr(request, "param", BOOK))
    for module in CLOCKS:
        monkeypatch.setattr(module, "now_ms", lambda: to_ms(found.now))
    yield found
    found.database.close()


def test_who_opted_out_gets_the_confirmation_and_nothing_else(front: Front) -> None:
    front.hears()
    guests = Guests(front.database, front.seal)
    front.change(guests.set_consent, GUEST, Consent.WITHDRAWN, "whatsapp")
    for kind in (Kind.REPLY, Kind.NOTICE):
        row_id = front.write(kind)
        front.refused(row_id)
        assert front.stands(row_id) == ("refused", "opted_out", "the guest wants no messages")
    for kind in (Kind.CONFIRMATION, Kind.EMERGENCY, Kind.PERSON):
        front.sends(front.write(kind))


def test_while_a_person_speaks_replies_are_refused_and_notices_wait(front: Front) -> None:
    front.hears()
    talks = Conversations(front.database)
    front.change(talks.take, front.seal.index(GUEST), "Ada")
    reply, notice = front.write(), front.write(Kind.NOTICE)
    front.refused(reply)
    assert front.stands(reply) == ("refused", "taken_over", "a person speaks with the guest")
    assert front.held(notice) == front.now + dt.timedelta(minutes=15)
    assert front.stands(notice) == ("pending", "taken_over", "a person speaks with the guest")
    front.sends(front.write(Kind.PERSON))
    front.sends(front.write(Kind.EMERGENCY))
    front.hears(OTHER)
    front.sends(front.write(phone=OTHER))
    front.change(talks.give_back, front.seal.index(GUEST))
    front.now += dt.timedelta(minutes=15)
    front.sends(notice)
    assert front.stands(notice) == ("sent", None, None)


def test_the_bots_last_word_still_goes_when_it_hands_over(front: Front) -> None:
    front.hears()
    last = front.write()
    front.now += dt.timedelta(milliseconds=1)
    talks = Conversations(front.database)
    front.change(talks.hand_over, front.seal.index(GUEST), "human")
    front.now += dt.timedelta(milliseconds=1)
    after = front.write()
    front.sends(last)
    front.refused(after)


def test_at_night_an_answer_waits_unless_the_guest_has_just_written(front: Front) -> None:
    front.at("22:00")
    front.hears()
    front.now += dt.timedelta(minutes=29)
    front.sends(front.write())
    front.now += dt.timedelta(minutes=1)
    late = front.write()
    assert front.held(late) == dt.datetime(2026, 5, 5, 8, tzinfo=ROME)
    assert front.stands(late) == ("pending", "quiet_hours", "it is night where the guest is")
    front.sends(front.write(Kind.EMERGENCY))
    front.at("12:00")
    front.now += dt.timedelta(days=1)
    front.sends(late)


def test_night_is_by_the_country_of_the_phone(front: Front) -> None:
    front.at("14:00")
    for phone in (GUEST, IN_CALIFORNIA):
        front.hears(phone)
    front.now += dt.timedelta(hours=2)
    front.sends(front.write(phone=GUEST))
    # 16 o'clock in Rome is 7 in California.
    morning = dt.datetime(2026, 5, 4, 8, tzinfo=CALIFORNIA)
    assert front.held(front.write(phone=IN_CALIFORNIA)) == morning


def test_or_by_the_zone_that_is_known_of_the_guest(front: Front) -> None:
    lisbon = ZoneInfo("Europe/Lisbon")
    guests = Guests(front.database, front.seal)
    front.change(guests.set_time_zone, IN_CALIFORNIA, lisbon)
    front.at("14:00")
    front.hears(IN_CALIFORNIA)
    front.now += dt.timedelta(hours=2)
    front.sends(front.write(phone=IN_CALIFORNIA))
    front.at("21:59", lisbon)
    front.sends(front.write(phone=IN_CALIFORNIA))
    front.at("22:00", lisbon)
    assert front.held(front.write(phone=IN_CALIFORNIA)) == dt.datetime(2026, 5, 5, 8, tzinfo=lisbon)


@pytest.mark.parametrize(
    ("arrival", "departure", "status", "is_here"),
    [
        ("2026-05-04", "2026-05-08", BookingStatus.CONFIRMED, True),
        ("2026-05-01", "2026-05-04", BookingStatus.CONFIRMED, True),
        ("2026-05-05", "2026-05-08", BookingStatus.CONFIRMED, False),
        ("2026-05-01", "2026-05-03", BookingStatus.CONFIRMED, False),
        ("2026-05-04", "2026-05-08", BookingStatus.CANCELLED, False),
    ],
)
def test_or_by_the_propertys_clock_during_a_stay(
    front: Front, arrival: str, departure: str, status: BookingStatus, is_here: bool
) -> None:
    stay = Booking(
        channel="direct",
        code="A-1",
        status=status,
        phone=IN_CALIFORNIA,
        arrival=dt.date.fromisoformat(arrival),
        departure=dt.date.fromisoformat(departure),
    )
    table = Bookings(front.database, front.seal)
    front.change(table.upsert, stay)
    front.at("14:00")
    front.hears(IN_CALIFORNIA)
    front.now += dt.timedelta(hours=2)
    assert (front.outbox.claim(front.write(phone=IN_CALIFORNIA)) is not None) is is_here


def test_the_cap_of_a_day_is_over_at_the_guests_midnight(front: Front) -> None:
    front.at("12:00", CALIFORNIA)
    front.hears(IN_CALIFORNIA)
    for _ in range(BOOK.daily_cap):
        front.sends(front.write(Kind.NOTICE, IN_CALIFORNIA))
    third = front.write(Kind.NOTICE, IN_CALIFORNIA)
    # Midnight there is 9 o'clock in Rome; and it is night till 8.
    assert front.held(third) == dt.datetime(2026, 5, 5, 8, tzinfo=CALIFORNIA)
    assert front.stands(third) == ("pending", "daily_cap", "enough messages for one day")
    front.sends(front.write(phone=IN_CALIFORNIA))
    front.hears(OTHER)
    front.sends(front.write(Kind.NOTICE, OTHER))
    front.at("08:00", CALIFORNIA)
    front.now += dt.timedelta(days=1)
    front.sends(third)


@pytest.mark.parametrize("front", [NEVER_QUIET], indirect=True)
def test_without_quiet_hours_the_next_day_begins_at_midnight(front: Front) -> None:
    front.hears()
    for _ in range(BOOK.daily_cap):
        front.sends(front.write(Kind.NOTICE))
    third = front.write(Kind.NOTICE)
    midnight = dt.datetime(2026, 5, 5, tzinfo=ROME)
    assert front.held(third) == midnight
    front.now = midnight - dt.timedelta(milliseconds=1)
    assert front.outbox.claim(third) is None
    front.now = midnight
    front.sends(third)


def test_a_429_holds_everybodys_messages_until_retry_after(front: Front) -> None:
    front.hears(GUEST)
    front.hears(OTHER)
    limited, other, urgent = (
        front.write(phone=GUEST),
        front.write(phone=OTHER),
        front.write(Kind.EMERGENCY, OTHER),
    )
    wait = dt.timedelta(seconds=30)
    front.outbox.slow_down(front.claim(limited), "Spoki asks to slow down (429)", wait)
    assert front.stands(limited) == ("pending", None, "Spoki asks to slow down (429)")
    until = front.now + wait
    for row_id in (other, urgent):
        assert front.held(row_id) == until
        assert front.stands(row_id) == ("pending", "retry_after", "the provider asked to wait")
    front.now = until - dt.timedelta(milliseconds=1)
    assert front.outbox.claim(limited) is None
    assert front.outbox.claim(other) is None
    front.now = until
    for row_id in (limited, other, urgent):
        front.sends(row_id)


def test_a_shorter_429_does_not_end_a_longer_one(front: Front) -> None:
    front.hears(GUEST)
    front.hears(OTHER)
    first, second = front.claim(front.write(phone=GUEST)), front.claim(front.write(phone=OTHER))
    front.outbox.slow_down(first, "429", dt.timedelta(minutes=1))
    front.outbox.slow_down(second, "429", dt.timedelta(seconds=1))
    front.now += dt.timedelta(seconds=59)
    front.held(second.row_id)
    assert front.stands(second.row_id)[1] == "retry_after"


def test_templates_keep_to_their_minute_and_texts_to_theirs(front: Front) -> None:
    message = front.template(DEPARTURE)
    phones = [f"+3900000001{number:02}" for number in range(LIMITS.templates + 1)]
    first_at = front.now
    for phone in phones[:-1]:
        front.sends(front.write(Kind.NOTICE, phone, message))
        front.now += dt.timedelta(seconds=10)
    last = front.write(Kind.NOTICE, phones[-1], message)
    assert front.held(last) == first_at + dt.timedelta(minutes=1)
    assert front.stands(last)[1] == "provider_limit"
    front.hears()
    front.sends(front.write())
    front.now = first_at + dt.timedelta(minutes=1)
    front.sends(last)


def test_a_template_goes_as_one_only_outside_the_window(front: Front) -> None:
    front.hears()
    message = front.template(DEPARTURE)
    inside = front.claim(front.write(Kind.NOTICE, GUEST, message))
    outside = front.claim(front.write(Kind.NOTICE, OTHER, message))
    assert inside.message == Text(message.text)
    assert outside.message == message
    rows = front.database.all("SELECT sent_as FROM outbox ORDER BY id")
    assert [row["sent_as"] for row in rows] == ["text", "template"]


@pytest.mark.parametrize("first_was_sent", [True, False])
def test_the_same_thing_is_said_once(front: Front, first_was_sent: bool) -> None:
    front.hears()
    front.hears(OTHER)
    first = front.write(Kind.NOTICE, dedupe_key="departure:2026-05-05")
    front.claim(first)
    if first_was_sent:
        front.outbox.sent(first, "id")
    else:
        front.outbox.refused(first, "no such number")
    again = front.write(Kind.NOTICE, dedupe_key="departure:2026-05-05")
    if first_was_sent:
        front.refused(again)
        assert front.stands(again) == ("refused", "duplicate", "the guest has had this message")
    else:
        front.sends(again)
    front.sends(front.write(Kind.NOTICE, OTHER, dedupe_key="departure:2026-05-05"))
    front.sends(front.write(Kind.EMERGENCY))


def test_a_window_the_provider_says_is_closed_sends_the_template_and_calls_the_desk(
    front: Front,
) -> None:
    front.hears()
    row_id = front.write()
    claimed = front.claim(row_id)
    assert claimed.message == Text("Ecco")
    assert front.stands(row_id) == ("sending", None, None)
    front.outbox.window_closed(claimed, "outside the 24 hours")
    assert front.stands(row_id) == ("pending", "window", "outside the 24 hours")
    assert front.called == []
    again = front.claim(row_id)
    assert again.message == front.template(FALLBACK)
    assert front.called == [row_id]
    assert front.stands(row_id)[:2] == ("sending", "window")
    row = front.database.one("SELECT sent_as, attempts FROM outbox WHERE id = ?", (row_id,))
    assert row is not None
    assert tuple(row) == ("template", 2)


def test_a_persons_own_words_are_never_replaced(front: Front) -> None:
    front.hears()
    front.now += dt.timedelta(hours=24)
    row_id = front.write(Kind.PERSON)
    front.refused(row_id)
    assert front.stands(row_id)[1] == "window"
    assert front.called == []

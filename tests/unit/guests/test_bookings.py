"""The bookings table: thin ones filled, nothing lost, the right one first."""

import json
from dataclasses import asdict, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.guests.booking import Booking, BookingStatus
from app.guests.bookings import merged
from app.guests.guest import Guest
from tests.unit.guests.conftest import Store, open_store

PHONE, OTHER = "+390000000001", "+390000000002"
TODAY = date(2026, 11, 24)
DAY = timedelta(days=1)
FULL = Booking(
    "direct",
    "A-1",
    BookingStatus.CONFIRMED,
    phone=PHONE,
    unit="12",
    arrival=TODAY,
    departure=TODAY + 2 * DAY,
    party=2,
    flight_number="XX 000",
    balance=Decimal("120.50"),
    currency="EUR",
)
OVER = {BookingStatus.CANCELLED, BookingStatus.ENDED}

bookings = st.builds(
    Booking,
    channel=st.just("direct"),
    code=st.sampled_from(["A-1", "A-2"]),
    status=st.sampled_from(BookingStatus),
    phone=st.sampled_from([None, PHONE, OTHER]),
    unit=st.none() | st.text("123", min_size=1, max_size=2),
    arrival=st.none() | st.dates(date(2026, 1, 1), date(2027, 1, 1)),
    departure=st.none() | st.dates(date(2026, 1, 1), date(2027, 1, 1)),
    party=st.none() | st.integers(1, 9),
    flight_number=st.none() | st.sampled_from(["XX 000", "YY 000"]),
    balance=st.none() | st.decimals(0, 9999, places=2),
    currency=st.none() | st.sampled_from(["EUR", "CHF"]),
)


@given(bookings, bookings)
def test_merging_loses_nothing_and_says_the_newest(held: Booking, new: Booking) -> None:
    after = asdict(merged(held, new))
    for field, value in asdict(new).items():
        if field not in ("status", "booking_id"):
            assert after[field] == (asdict(held)[field] if value is None else value)
    assert merged(merged(held, new), new) == merged(held, new)


@given(bookings, st.lists(bookings))
def test_what_is_over_stays_over(held: Booking, following: list[Booking]) -> None:
    over = replace(held, status=BookingStatus.ENDED)
    for new in following:
        over = merged(over, new)
        assert over.status is BookingStatus.ENDED


@pytest.mark.thorough
@settings(max_examples=40, deadline=None)
@given(st.lists(bookings, max_size=6))
def test_the_table_says_what_merging_says(written: list[Booking]) -> None:
    expected: dict[str, Booking] = {}
    with TemporaryDirectory() as directory:
        store = open_store(Path(directory) / "p.db")
        for booking in written:
            held = expected.get(booking.code)
            expected[booking.code] = merged(held, booking) if held else booking
            store.upsert(booking)
            events = store.events()
            store.upsert(booking)
            assert store.events() == events, "written twice, it changed something"
        with store.database.transaction() as connection:
            found = {code: store.bookings.held(connection, "direct", code) for code in expected}
        store.database.close()
    for code, booking in expected.items():
        stored = found[code]
        assert stored is not None
        assert replace(stored, booking_id=None) == booking


def test_a_thin_booking_is_filled_by_a_later_one(store: Store) -> None:
    thin = store.upsert(Booking("direct", "A-1", BookingStatus.REQUESTED))
    assert store.upsert(FULL) == thin
    assert store.bookings.of_guest(PHONE, TODAY) == [replace(FULL, booking_id=thin)]
    assert store.events() == ["booking_created", "guest_created", "booking_confirmed"]
    detail = json.loads(store.history()[-1]["detail"])
    assert detail["balance"] == [None, "120.50"]
    assert "phone" not in detail


def test_a_booking_makes_its_guest_and_keeps_one_that_is_known(store: Store) -> None:
    store.put(Guest(PHONE, name="Anna Invenzione"))
    store.upsert(FULL)
    store.upsert(replace(FULL, code="A-2", phone=OTHER))
    assert store.guests.find(PHONE) == Guest(PHONE, name="Anna Invenzione")
    assert store.guests.find(OTHER) == Guest(OTHER)


def test_a_booking_can_move_to_another_guest(store: Store) -> None:
    store.upsert(FULL)
    store.upsert(Booking("direct", "A-1", BookingStatus.CONFIRMED, phone=OTHER))
    assert store.bookings.of_guest(PHONE, TODAY) == []
    assert len(store.bookings.of_guest(OTHER, TODAY)) == 1
    assert store.events()[-1] == "booking_moved"


def test_the_running_one_comes_first_and_what_is_over_not_at_all(store: Store) -> None:
    def stay(code: str, first: int | None, status: BookingStatus = BookingStatus.CONFIRMED) -> None:
        arrival = None if first is None else TODAY + first * DAY
        departure = None if arrival is None else arrival + 2 * DAY
        store.upsert(
            Booking("direct", code, status, phone=PHONE, arrival=arrival, departure=departure)
        )

    stay("without dates", None)
    stay("forgotten", -9)
    stay("later", 30)
    stay("next", 7, BookingStatus.REQUESTED)
    stay("running", -1)
    stay("cancelled", 0, BookingStatus.CANCELLED)
    stay("ended", 0, BookingStatus.ENDED)
    codes = [booking.code for booking in store.bookings.of_guest(PHONE, TODAY)]
    assert codes == ["running", "next", "later", "without dates", "forgotten"]
    everybody = [booking.code for booking in store.bookings.open_ones()]
    assert everybody == ["forgotten", "running", "next", "later", "without dates"]


def test_who_leaves_on_a_day(store: Store) -> None:
    leaving = store.upsert(FULL)
    store.upsert(replace(FULL, code="A-2", departure=TODAY + DAY))
    store.upsert(replace(FULL, code="A-3", status=BookingStatus.CANCELLED))
    store.upsert(replace(FULL, code="A-4", phone=None, unit="13"))
    found = store.bookings.leaving_on(TODAY + 2 * DAY)
    assert [booking.code for booking in found] == ["A-1", "A-4"]
    assert found[0] == replace(FULL, booking_id=leaving)
    assert found[1].phone is None


@pytest.mark.parametrize("status", BookingStatus)
def test_only_a_confirmed_booking_ends(store: Store, status: BookingStatus) -> None:
    booking_id = store.upsert(replace(FULL, status=status))
    with store.database.transaction() as connection:
        ended = store.bookings.end(connection, booking_id)
        assert not store.bookings.end(connection, booking_id)
    assert ended == (status is BookingStatus.CONFIRMED)
    row = store.database.one("SELECT ended_at FROM bookings")
    assert row is not None
    assert (row["ended_at"] is not None) == (ended or status is BookingStatus.ENDED)


@pytest.mark.parametrize("status", BookingStatus)
def test_what_is_not_over_can_be_cancelled_once(store: Store, status: BookingStatus) -> None:
    booking_id = store.upsert(replace(FULL, status=status))
    with store.database.transaction() as connection:
        cancelled = store.bookings.cancel(connection, booking_id, "Carla")
        assert not store.bookings.cancel(connection, booking_id, "Carla")
    assert cancelled == (status not in OVER)
    if cancelled:
        assert store.events()[-1] == "booking_cancelled"
        assert store.history()[-1]["actor"] == "Carla"


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT * FROM bookings WHERE guest = ? ORDER BY arrival", "bookings_guest"),
        (
            "SELECT * FROM bookings WHERE departure = ? AND status = 'confirmed'",
            "bookings_departure",
        ),
    ],
)
def test_the_questions_of_every_message_have_their_index(
    store: Store, sql: str, index: str
) -> None:
    steps = store.database.all(f"EXPLAIN QUERY PLAN {sql}", ("",))
    assert any(f"INDEX {index} " in step["detail"] for step in steps)

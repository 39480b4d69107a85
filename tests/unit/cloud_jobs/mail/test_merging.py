"""The newest mail of a booking wins, in whatever order they come."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_jobs.mail.merging import newest_wins
from cloud_jobs.mail.results import Kind, Reservation
from tests.support import reservation_mails as mails

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = date(2027, 4, 10)
FULL = Reservation(
    channel="booking.com",
    numbered_by="booking.com",
    code="5592650001",
    kind=Kind.NEW,
    mail_language="it",
    guest_name="Giulia Prova",
    arrival=DAY,
    departure=DAY + timedelta(days=2),
    party=2,
    price=Decimal("200.00"),
    currency="EUR",
    received_at=NOON,
)
THIN = replace(FULL, guest_name=None, departure=None, party=None, price=None, currency=None)


def later(mail: Reservation, **fields: object) -> Reservation:
    return replace(mail, **{"received_at": NOON + timedelta(hours=1), **fields})  # type: ignore[arg-type]


def test_a_later_thin_mail_of_the_same_stay_leaves_what_is_known() -> None:
    found = newest_wins([FULL, later(THIN, kind=Kind.CANCELLED)])
    assert found == later(FULL, kind=Kind.CANCELLED)
    assert not found.thin


def test_a_later_whole_mail_fills_a_thin_one() -> None:
    assert newest_wins([THIN, later(FULL)]) == later(FULL)
    assert THIN.thin
    assert not FULL.thin


def test_a_mail_that_comes_late_changes_nothing_that_is_newer() -> None:
    cancelled = later(FULL, kind=Kind.CANCELLED, party=3)
    assert newest_wins([cancelled, FULL]) == cancelled


def test_another_arrival_takes_the_old_departure_and_price_with_it() -> None:
    moved = newest_wins([FULL, later(THIN, kind=Kind.CHANGED, arrival=DAY + timedelta(days=1))])
    assert (moved.arrival, moved.departure, moved.price) == (DAY + timedelta(days=1), None, None)
    assert (moved.guest_name, moved.party, moved.thin) == ("Giulia Prova", 2, True)


def test_another_departure_takes_the_old_price_with_it() -> None:
    longer = later(THIN, departure=DAY + timedelta(days=5))
    found = newest_wins([FULL, longer])
    assert (found.departure, found.price, found.currency) == (longer.departure, None, None)


def test_a_mail_without_a_date_is_the_oldest() -> None:
    assert newest_wins([FULL, replace(THIN, received_at=None, kind=Kind.CANCELLED)]) == FULL


def test_mails_of_two_bookings_are_refused() -> None:
    for other in (replace(FULL, code="5592650002"), replace(FULL, numbered_by="smoobu")):
        with pytest.raises(ValueError, match="one booking"):
            newest_wins([FULL, other])
    with pytest.raises(ValueError, match="one booking"):
        newest_wins([])


def test_the_mails_of_one_booking() -> None:
    names = ("booking_en_new", "booking_en_changed", "booking_en_cancelled")
    sent = [
        replace(mails.reservation(name), received_at=NOON + timedelta(hours=hour))
        for hour, name in enumerate(names)
    ]
    found = newest_wins(sent)
    assert (found.kind, found.arrival) == (Kind.CANCELLED, date(2027, 3, 2))


def test_scidoos_mail_is_of_the_same_booking_as_the_channels() -> None:
    whole = mails.reservation("scidoo_it_new")
    thin = replace(THIN, code=whole.code, arrival=whole.arrival)
    assert newest_wins([thin, whole]).guest_name == "Esempio Franca"


ANY = st.builds(
    replace,
    st.just(FULL),
    kind=st.sampled_from(Kind),
    guest_name=st.sampled_from(["Giulia Prova", "Max Muster", None]),
    arrival=st.sampled_from([DAY, DAY + timedelta(days=1), None]),
    departure=st.sampled_from([DAY + timedelta(days=1), DAY + timedelta(days=3), None]),
    price=st.sampled_from([Decimal(1), None]),
)


@given(st.lists(ANY, min_size=2, max_size=4))
def test_the_order_in_which_they_come_makes_no_difference(some: list[Reservation]) -> None:
    sent = [
        replace(mail, received_at=NOON + timedelta(minutes=minute))
        for minute, mail in enumerate(some)
    ]
    found = newest_wins(sent)
    assert all(newest_wins(order) == found for order in permutations(sent))
    assert (found.kind, found.received_at) == (sent[-1].kind, sent[-1].received_at)

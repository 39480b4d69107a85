"""Guests and bookings as JSON lines."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from app.guests.booking import Booking, BookingStatus
from app.guests.guest import Consent, Guest
from app.guests.lines import BookingLine, GuestLine, LineError, read, write

GUEST = (
    '{"phone": "+39 000 0000001", "name": "Anna Invenzione", "email": "anna@example.invalid", '
    '"language": "it", "time_zone": "Europe/Rome", "consent": "given", '
    '"consent_source": "booking", "consent_at": "2026-11-24T12:00:00Z"}'
)


def test_a_guest_is_read() -> None:
    (line,) = read([GUEST, "\n"], GuestLine)
    assert line.guest() == Guest(
        "+390000000001",
        name="Anna Invenzione",
        email="anna@example.invalid",
        language="it",
        time_zone=ZoneInfo("Europe/Rome"),
        consent=Consent.GIVEN,
        consent_source="booking",
        consent_at=datetime(2026, 11, 24, 12, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "booking",
    [
        Booking("booking.com", "1234", BookingStatus.REQUESTED),
        Booking(
            "direct",
            "A-1",
            BookingStatus.CONFIRMED,
            phone="+390000000001",
            unit="12",
            arrival=date(2026, 11, 24),
            departure=date(2026, 11, 26),
            party=2,
            flight_number="XX 000",
            balance=Decimal("120.50"),
            currency="EUR",
        ),
    ],
)
def test_a_booking_is_read_as_it_was_written(booking: Booking) -> None:
    (line,) = read([write(booking)], BookingLine)
    assert line.booking() == booking


@pytest.mark.parametrize(
    ("line", "kind", "why"),
    [
        ("nonsense", GuestLine, "JSON"),
        ('{"phone": "4711"}', GuestLine, "phone: write the phone number with +"),
        ('{"phone": "+39000"}', GuestLine, "phone: no phone number of that country"),
        ('{"phone": "+390000000001", "nmae": "Anna"}', GuestLine, "nmae: Extra inputs"),
        ('{"phone": "+390000000001", "email": "anna"}', GuestLine, "email:"),
        ('{"phone": "+390000000001", "language": "italian"}', GuestLine, "language:"),
        ('{"phone": "+390000000001", "time_zone": "Atlantis"}', GuestLine, "time_zone:"),
        ('{"phone": "+390000000001", "consent": "given"}', GuestLine, "consent_source"),
        ('{"channel": "direct", "code": "A-1"}', BookingLine, "status: Field required"),
        (
            '{"channel": "direct", "code": "A-1", "status": "confirmed", "balance": "12"}',
            BookingLine,
            "balance needs currency",
        ),
        (
            '{"channel": "direct", "code": "A-1", "status": "confirmed", '
            '"arrival": "2026-11-24", "departure": "2026-11-24"}',
            BookingLine,
            "departure must be after arrival",
        ),
    ],
)
def test_a_wrong_line_is_named_without_what_was_in_it(
    line: str, kind: type[GuestLine | BookingLine], why: str
) -> None:
    with pytest.raises(LineError) as caught:
        list(read(["", line], kind))
    assert str(caught.value).startswith("line 2: ")
    assert why in str(caught.value)
    for secret in ("4711", "anna", "Anna", "nonsense"):
        assert secret not in str(caught.value)

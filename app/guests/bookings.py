"""The bookings table: stays, by the channel they were booked on and its number of them."""

from dataclasses import asdict, replace
from datetime import date
from decimal import Decimal
from typing import Any

from app.guests import history
from app.guests.booking import Booking, BookingStatus
from app.guests.guest import Guest
from app.guests.guests import Guests, phone_of
from app.guests.history import PORTIERE, Entry, Heard, changes_between, nobody
from app.guests.phones import possible_e164
from app.sealing import Seal
from app.store.database import Connection, Database, Row, now_ms

# A status moves forward only: what arrives late must not wake up what was cancelled or is over.
_RANK = {
    BookingStatus.REQUESTED: 0,
    BookingStatus.CONFIRMED: 1,
    BookingStatus.CANCELLED: 2,
    BookingStatus.ENDED: 2,
}


class Bookings:
    """The bookings table. Every change leaves a row in the history."""

    def __init__(self, database: Database, seal: Seal, heard: Heard = nobody) -> None:
        self._database = database
        self._seal = seal
        self._heard = heard
        self._guests = Guests(database, seal, heard)

    def upsert(self, connection: Connection, booking: Booking, actor: str = PORTIERE) -> int:
        """Keep a booking under its ``(channel, code)``; returns its id.

        See :func:`merged` for what becomes of one that is held already. A phone that is new makes a
        guest. Raises :class:`app.guests.phones.PhoneError`.
        """
        phone = None if booking.phone is None else possible_e164(booking.phone)
        booking = replace(booking, phone=phone)
        held = self.held(connection, booking.channel, booking.code)
        after = booking if held is None else merged(held, booking)
        return self._write(connection, held, after, actor)

    def held(self, connection: Connection, channel: str, code: str) -> Booking | None:
        """What is known of the booking of this number, as the caller's transaction sees it."""
        key = (channel, code)
        rows = connection.execute(f"{_SELECT} WHERE channel = ? AND code = ?", key).fetchall()
        return self._booking(rows[0]) if rows else None

    def of_guest(self, phone: str, today: date) -> list[Booking]:
        """The guest's bookings that are neither over nor cancelled: the running one, then the next.

        ``today`` is the property's. One without dates comes after those with, and one that should
        be over by now last.
        """
        rows = self._database.all(
            _OF_GUEST, {"guest": self._seal.index(phone), "today": str(today)}
        )
        return [self._booking(row) for row in rows]

    def leaving_on(self, day: date) -> list[Booking]:
        """The confirmed bookings that end on ``day``."""
        return [self._booking(row) for row in self._database.all(_LEAVING, (str(day),))]

    def open_ones(self) -> list[Booking]:
        """All that are neither over nor cancelled, by arrival; those without dates last."""
        return [self._booking(row) for row in self._database.all(_OPEN)]

    def end(self, connection: Connection, booking_id: int, actor: str = PORTIERE) -> bool:
        """The guest has left; False unless the booking was confirmed."""
        held = self._by_id(connection, booking_id)
        if held is None or held.status is not BookingStatus.CONFIRMED:
            return False
        self._write(connection, held, replace(held, status=BookingStatus.ENDED), actor)
        return True

    def cancel(self, connection: Connection, booking_id: int, actor: str = PORTIERE) -> bool:
        """The stay will not be; False if it is over, or was cancelled already."""
        held = self._by_id(connection, booking_id)
        if held is None or _RANK[held.status] >= _RANK[BookingStatus.CANCELLED]:
            return False
        self._write(connection, held, replace(held, status=BookingStatus.CANCELLED), actor)
        return True

    def _by_id(self, connection: Connection, booking_id: int) -> Booking | None:
        rows = connection.execute(f"{_SELECT} WHERE bookings.id = ?", (booking_id,)).fetchall()
        return self._booking(rows[0]) if rows else None

    def _write(
        self, connection: Connection, before: Booking | None, after: Booking, actor: str
    ) -> int:
        if before == after and after.booking_id is not None:
            return after.booking_id
        index = None
        if after.phone is not None:
            index = self._seal.index(after.phone)
            self._guests.put(connection, Guest(after.phone), actor)
        (row,) = connection.execute(_UPSERT, _columns(after, index)).fetchall()
        known = {} if before is None else _told(before)
        entry = Entry(
            _event(before, after),
            actor,
            index,
            booking_id=row["id"],
            changes=changes_between(known, _told(after)),
        )
        history.write(connection, self._seal, entry, self._heard)
        return int(row["id"])

    def _booking(self, row: Row) -> Booking:
        return Booking(
            channel=row["channel"],
            code=row["code"],
            status=BookingStatus(row["status"]),
            phone=None if row["sealed_phone"] is None else phone_of(self._seal, row),
            unit=row["unit"],
            arrival=_day(row["arrival"]),
            departure=_day(row["departure"]),
            party=row["party"],
            flight_number=row["flight_number"],
            balance=None if row["balance"] is None else Decimal(row["balance"]),
            currency=row["currency"],
            booking_id=row["id"],
        )


def merged(held: Booking, new: Booking) -> Booking:
    """What is known of a booking from both; the new one counts where both say something.

    None erases nothing: a booking that began as a bare number is filled by what follows, and a bare
    number that follows takes nothing away. The status moves forward only.
    """
    said = {field: value for field, value in asdict(new).items() if value is not None}
    if _RANK[new.status] <= _RANK[held.status]:
        said["status"] = held.status
    return replace(held, **{**said, "booking_id": held.booking_id})


def _event(before: Booking | None, after: Booking) -> str:
    if before is None:
        return "booking_created"
    if before.status is not after.status:
        return f"booking_{after.status}"
    if before.phone not in (None, after.phone):
        return "booking_moved"
    return "booking_changed"


def _told(booking: Booking) -> dict[str, Any]:
    """What the history tells of: not whose it is, for that may have been another guest."""
    return {
        field: value
        for field, value in asdict(booking).items()
        if field not in ("phone", "booking_id")
    }


def _day(value: str | None) -> date | None:
    return None if value is None else date.fromisoformat(value)


def _columns(booking: Booking, index: bytes | None) -> dict[str, Any]:
    return {
        "channel": booking.channel,
        "code": booking.code,
        "guest": index,
        "unit": booking.unit,
        "arrival": booking.arrival.isoformat() if booking.arrival else None,
        "departure": booking.departure.isoformat() if booking.departure else None,
        "party": booking.party,
        "status": booking.status,
        "flight_number": booking.flight_number,
        "balance": None if booking.balance is None else f"{booking.balance:f}",
        "currency": booking.currency,
        "now": now_ms(),
    }


_SELECT = """
SELECT bookings.*, guests.sealed_phone
FROM bookings LEFT JOIN guests ON guests.guest = bookings.guest
"""

_OF_GUEST = f"""
{_SELECT} WHERE bookings.guest = :guest AND status IN ('requested', 'confirmed')
ORDER BY coalesce(departure < :today, FALSE), arrival IS NULL, arrival, bookings.id
"""

_LEAVING = f"{_SELECT} WHERE departure = ? AND status = 'confirmed' ORDER BY unit, bookings.id"

_OPEN = f"""
{_SELECT} WHERE status IN ('requested', 'confirmed')
ORDER BY arrival IS NULL, arrival, bookings.id
"""

_UPSERT = """
INSERT INTO bookings (channel, code, guest, unit, arrival, departure, party, status,
                      flight_number, balance, currency, created_at, updated_at, ended_at)
VALUES (:channel, :code, :guest, :unit, :arrival, :departure, :party, :status,
        :flight_number, :balance, :currency, :now, :now, iif(:status = 'ended', :now, NULL))
ON CONFLICT (channel, code) DO UPDATE SET
    guest = excluded.guest, unit = excluded.unit, arrival = excluded.arrival,
    departure = excluded.departure, party = excluded.party, status = excluded.status,
    flight_number = excluded.flight_number, balance = excluded.balance,
    currency = excluded.currency, updated_at = excluded.updated_at,
    ended_at = coalesce(ended_at, excluded.ended_at)
RETURNING id
"""

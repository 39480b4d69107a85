"""Who is in the house or arrives soon: stays, without what says who the guest is."""

from dataclasses import dataclass
from datetime import date

from app.store.database import Database, Row


@dataclass(frozen=True)
class ActiveStay:
    """One stay. ``guest`` is the blind index, where it is known whose it is."""

    booking_id: int
    channel: str
    code: str
    guest: bytes | None
    language: str | None
    unit: str | None
    arrival: date
    departure: date | None
    party: int | None
    flight_number: str | None
    status: str


def staying(
    database: Database, today: date, until: date, after: int, limit: int
) -> list[ActiveStay]:
    """Stays that are not over on ``today`` and begin by ``until``, by their ids from ``after``."""
    values = {"today": str(today), "until": str(until), "after": after, "limit": limit}
    return [_stay(row) for row in database.all(_STAYING, values)]


def by_flight(database: Database, flight_number: str, day: date) -> list[ActiveStay]:
    """Stays that begin on ``day`` whose guests come by that flight, however it is spaced."""
    wanted = "".join(flight_number.split()).upper()
    return [_stay(row) for row in database.all(_BY_FLIGHT, {"day": str(day), "flight": wanted})]


def _stay(row: Row) -> ActiveStay:
    departure = row["departure"]
    return ActiveStay(
        booking_id=row["id"],
        channel=row["channel"],
        code=row["code"],
        guest=row["guest"],
        language=row["language"],
        unit=row["unit"],
        arrival=date.fromisoformat(row["arrival"]),
        departure=date.fromisoformat(departure) if departure else None,
        party=row["party"],
        flight_number=row["flight_number"],
        status=row["status"],
    )


_SELECT = """
SELECT bookings.*, guests.language FROM bookings LEFT JOIN guests ON guests.guest = bookings.guest
WHERE status IN ('requested', 'confirmed')
"""

_STAYING = f"""
{_SELECT} AND arrival <= :until AND coalesce(departure, :today) >= :today
AND bookings.id > :after ORDER BY bookings.id LIMIT :limit
"""

_BY_FLIGHT = f"""
{_SELECT} AND arrival = :day AND replace(upper(flight_number), ' ', '') = :flight
ORDER BY bookings.id
"""

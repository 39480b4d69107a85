"""What the guests' tables hold about somebody: to be given out, and to be taken away."""

from collections.abc import Mapping
from typing import Any

from app.guests import history
from app.guests.history import PORTIERE, Entry
from app.sealing import Seal
from app.store.database import Connection, Database, now_ms
from app.store.sealed import emptied, readable

# The history of a booking from before its guest was known is theirs; that from when it was another
# guest's is not.
_HISTORY = """
SELECT * FROM history WHERE guest = :guest OR (
    guest IS NULL AND booking_id IN (SELECT id FROM bookings WHERE guest = :guest)
)
"""


def held(database: Database, seal: Seal, guest: bytes) -> dict[str, Any]:
    """Guest, bookings, history and requests of a blind index, opened, as JSON can have them."""
    key = {"guest": guest}

    def opened(table: str, sql: str) -> list[dict[str, Any]]:
        return [readable(seal, table, row) for row in database.all(sql, key)]

    guests = opened("guests", "SELECT * FROM guests WHERE guest = :guest")
    return {
        "guest": guests[0] if guests else None,
        "bookings": opened("bookings", "SELECT * FROM bookings WHERE guest = :guest ORDER BY id"),
        "history": opened("history", f"{_HISTORY} ORDER BY id"),
        "requests": opened("requests", "SELECT * FROM requests WHERE guest = :guest ORDER BY id"),
    }


def erase(connection: Connection, seal: Seal, guest: bytes, pseudonym: bytes) -> Mapping[str, int]:
    """Take away what says who it was, in the caller's transaction; how many rows by table.

    Bookings keep dates, unit and amount, for the tax office, and lose their guest and number. What
    else stays has ``pseudonym`` in the guest's place.
    """
    changed = {
        # The history goes first: it is found by the bookings too.
        "history": _erase_history(connection, guest, pseudonym),
        "requests": _erase_requests(connection, seal, guest, pseudonym),
        "bookings": connection.execute(_BOOKINGS, {"guest": guest, "now": now_ms()}).rowcount,
        "guests": connection.execute("DELETE FROM guests WHERE guest = ?", (guest,)).rowcount,
    }
    return {table: rows for table, rows in changed.items() if rows}


def note_erasure(connection: Connection, seal: Seal, pseudonym: bytes) -> None:
    """Keep that somebody's data were erased, and when."""
    history.write(connection, seal, Entry("guest_erased", PORTIERE, pseudonym))


def _erase_history(connection: Connection, guest: bytes, pseudonym: bytes) -> int:
    return connection.execute(
        "UPDATE history SET guest = :pseudonym, booking_id = NULL, sealed_detail = NULL "  # noqa: S608 - a constant
        f"WHERE id IN (SELECT id FROM ({_HISTORY}))",
        {"guest": guest, "pseudonym": pseudonym},
    ).rowcount


def _erase_requests(connection: Connection, seal: Seal, guest: bytes, pseudonym: bytes) -> int:
    rows = connection.execute("SELECT * FROM requests WHERE guest = ?", (guest,)).fetchall()
    for row in rows:
        values = {**emptied(seal, "requests", row), "id": row["id"], "pseudonym": pseudonym}
        connection.execute(_REQUEST, {**values, "now": now_ms()})
    return len(rows)


# The number would lead back to the guest at the channel; the table wants one, and each its own.
_BOOKINGS = """
UPDATE bookings SET guest = NULL, code = 'erased-' || id, party = NULL, flight_number = NULL,
                    updated_at = :now
WHERE guest = :guest
"""

# Nobody can see to a request any more that doesn't say whose it is, nor what.
_REQUEST = """
UPDATE requests SET guest = :pseudonym, booking_id = NULL, sealed_detail = :sealed_detail,
                    closed_at = coalesce(closed_at, :now),
                    state = CASE WHEN state = 'offered' THEN 'expired'
                                 WHEN state IN ('accepted', 'open') THEN 'refused' ELSE state END
WHERE id = :id
"""

"""A real database file, with the guests' repositories over it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.guests.booking import Booking
from app.guests.bookings import Bookings
from app.guests.guest import Guest
from app.guests.guests import Guests
from app.guests.requests import NewRequest, Requests
from app.sealing import Seal
from app.store.database import Database, open_database
from app.store.sealed import readable


@dataclass
class Store:
    """The file, and what is over it; each method is a transaction of its own."""

    database: Database
    seal: Seal
    guests: Guests
    bookings: Bookings
    requests: Requests

    def put(self, guest: Guest) -> None:
        """Keep a guest."""
        with self.database.transaction() as connection:
            self.guests.put(connection, guest)

    def upsert(self, booking: Booking) -> int:
        """Keep a booking; its id."""
        with self.database.transaction() as connection:
            return self.bookings.upsert(connection, booking)

    def make(self, request: NewRequest) -> int:
        """Keep a request; its id."""
        with self.database.transaction() as connection:
            return self.requests.make(connection, request)

    def history(self) -> list[dict[str, Any]]:
        """All of the history, opened."""
        rows = self.database.all("SELECT * FROM history ORDER BY id")
        return [readable(self.seal, "history", row) for row in rows]

    def events(self) -> list[str]:
        """What happened, in order."""
        return [entry["event"] for entry in self.history()]


def open_store(path: Path) -> Store:
    """Everything over the file at ``path``."""
    database = open_database(path)
    seal = Seal({"k1": b"s" * 32}, b"i" * 32)
    return Store(
        database, seal, Guests(database, seal), Bookings(database, seal), Requests(database, seal)
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = open_store(tmp_path / "p.db")
    yield found
    found.database.close()

"""Smoobu: its bookings by HMAC or by the old header, one by one or by pages.

It can't show what the real one does: whether its clock's tolerance and its nonces are kept as here,
by which clock ``modifiedAt`` is, how exactly ``modifiedFrom`` compares, or when its webhook fires.
What it was asked in a way that the contract doesn't have is refused with 422.
"""

import hmac
import os
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from tests.support.outside.wire import Answer, Asked, unknown

KEY = os.environ.get("OUTSIDE_SMOOBU_KEY", "smoobu-key")
SECRET = os.environ.get("OUTSIDE_SMOOBU_SECRET", "smoobu-secret")
TOLERANCE = timedelta(minutes=5)
LIST = "/api/reservations"
KNOWN = {
    *("from", "to", "arrivalFrom", "arrivalTo", "departureFrom", "departureTo"),
    *("created_from", "created_to", "modifiedFrom", "modifiedTo", "apartmentId"),
    *("showCancellation", "excludeBlocked", "includeRelated", "includePriceElements"),
    *("page", "pageSize"),
}


class Smoobu:
    """The account of one host; ``bookings`` by their number, as Smoobu writes them."""

    name = "smoobu"
    prefix = "/api/"

    def __init__(self) -> None:
        self.calls = 0
        self.bookings: dict[int, dict[str, Any]] = {}
        self.takes_old_header = True
        self._nonces: set[str] = set()

    def answer(self, asked: Asked) -> Answer:
        """Answer a request."""
        if not self._is_signed(asked):
            return _error(401, "verification error")
        if asked.method != "GET":
            return _error(405, "method not allowed")
        if asked.path == LIST:
            return self._page(asked)
        number = asked.path.removeprefix(f"{LIST}/")
        if not number.isdigit() or int(number) not in self.bookings:
            return _error(404, "Reservation not found")
        self.calls += 1
        return Answer(200, self.bookings[int(number)])

    def put(self, booking: dict[str, Any]) -> dict[str, Any]:
        """A booking is new, or another; what isn't given is as an example's."""
        number = int(booking["id"])
        self.bookings[number] = {**_example(), **self.bookings.get(number, {}), **booking}
        return self.bookings[number]

    def _page(self, asked: Asked) -> Answer:
        params = asked.params
        if refused := unknown(asked, KNOWN):
            return _error(422, f"unknown parameters: {', '.join(refused)}")
        page, size = params.get("page", "1"), params.get("pageSize", "25")
        if not page.isdigit() or not size.isdigit() or not 1 <= int(size) <= 100:
            return _error(422, "page or pageSize is no number, or pageSize is above 100")
        found = sorted(
            (one for one in self.bookings.values() if _matches(one, params)),
            key=lambda one: int(one["id"]),
        )
        first = (int(page) - 1) * int(size)
        self.calls += 1
        return Answer(
            200,
            {
                "page_count": -(-len(found) // int(size)),
                "page_size": int(size),
                "total_items": len(found),
                "page": int(page),
                "bookings": found[first : first + int(size)],
            },
        )

    def _is_signed(self, asked: Asked) -> bool:
        if "Api-Key" in asked.headers:
            return self.takes_old_header and asked.headers["Api-Key"] == KEY
        nonce, timestamp = asked.headers.get("X-Nonce", ""), asked.headers.get("X-Timestamp", "")
        if not nonce or nonce in self._nonces or not _is_now(timestamp):
            return False
        lines = (
            asked.method,
            asked.path,
            "&".join(sorted(asked.query.split("&"))),
            timestamp,
            nonce,
            sha256(asked.body).hexdigest(),
            asked.headers.get("X-API-Key", ""),
        )
        digest = hmac.digest(SECRET.encode(), "\n".join(lines).encode(), "sha256")
        is_good = hmac.compare_digest(
            b64encode(digest).decode(), asked.headers.get("X-Signature", "")
        )
        self._nonces.add(nonce)
        return is_good and asked.headers.get("X-API-Key") == KEY


def _is_now(timestamp: str) -> bool:
    try:
        at = datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(datetime.now(UTC) - at) <= TOLERANCE


def _matches(booking: dict[str, Any], params: dict[str, str]) -> bool:
    if params.get("showCancellation") != "true" and booking["type"] == "cancellation":
        return False
    if params.get("excludeBlocked") == "true" and booking["is-blocked-booking"]:
        return False
    if (booking["modifiedAt"] or "") < params.get("modifiedFrom", ""):
        return False
    return (booking["departure"] or "") >= params.get("departureFrom", "")


def _example() -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "reference-id": None,
        "type": "reservation",
        "arrival": now.strftime("%Y-%m-%d"),
        "departure": (now + timedelta(days=3)).strftime("%Y-%m-%d"),
        "created-at": now.strftime("%Y-%m-%d %H:%M"),
        "modifiedAt": now.strftime("%Y-%m-%d %H:%M:%S"),
        "apartment": {"id": 1001, "name": "Room 4"},
        "channel": {"id": 2001, "name": "Booking.com"},
        "guest-name": "Ada Invented",
        "firstname": "Ada",
        "lastname": "Invented",
        "email": "ada@example.invalid",
        "phone": "+39 000 0000001",
        "adults": 2,
        "children": 0,
        "check-in": "15:00",
        "check-out": "10:00",
        "notice": "",
        "price": 480.0,
        "price-paid": "No",
        "prepayment": 0,
        "prepayment-paid": "No",
        "deposit": 0,
        "deposit-paid": "No",
        "language": "it",
        "is-blocked-booking": False,
        "guestId": 777,
    }


def _error(status: int, detail: str) -> Answer:
    return Answer(status, {"title": "Error occurred", "detail": detail})

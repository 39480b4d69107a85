"""The requests table: what guests ask of the desk, and what the desk offers them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from app.guests import history
from app.guests.guests import Guests, phone_of
from app.guests.history import GUEST, PORTIERE, Entry, Heard, nobody
from app.guests.request import Request, RequestKind, RequestState
from app.sealing import Seal
from app.store.database import Connection, Database, Row, from_ms, now_ms, to_ms


@dataclass(frozen=True)
class NewRequest:
    """A request to be kept. ``state`` is ``open`` (the guest asks) or ``offered`` (we do).

    ``price`` is in ``currency`` (ISO 4217); ``expires_at`` (aware) is until when an offer stands.
    """

    kind: RequestKind
    phone: str
    detail: str
    state: RequestState = RequestState.OPEN
    booking_id: int | None = None
    inbox_id: int | None = None
    price: Decimal | None = None
    currency: str | None = None
    expires_at: datetime | None = None


class Requests:
    """The requests table. Every change leaves a row in the history."""

    def __init__(self, database: Database, seal: Seal, heard: Heard = nobody) -> None:
        self._database = database
        self._seal = seal
        self._heard = heard
        self._guests = Guests(database, seal, heard)

    def make(self, connection: Connection, new: NewRequest) -> int:
        """Keep a request; returns its id."""
        self._guests.seen(connection, new.phone)
        (row,) = connection.execute(
            _INSERT,
            {
                "guest": self._seal.index(new.phone),
                "booking_id": new.booking_id,
                "inbox_id": new.inbox_id,
                "kind": new.kind,
                "state": new.state,
                "price": None if new.price is None else f"{new.price:f}",
                "currency": new.currency,
                "now": now_ms(),
                "expires_at": None if new.expires_at is None else to_ms(new.expires_at),
            },
        ).fetchall()
        # Sealed after the row is there: its id is part of the context.
        detail = self._seal.seal(new.detail, _context(row["id"]))
        connection.execute(
            "UPDATE requests SET sealed_detail = ? WHERE id = ?", (detail, row["id"])
        )
        self._note(connection, row, PORTIERE if new.state is RequestState.OFFERED else GUEST)
        return int(row["id"])

    def find(self, request_id: int) -> Request | None:
        """The request of this id."""
        row = self._database.one(f"{_SELECT} WHERE requests.id = ?", (request_id,))
        return None if row is None else self._request(row)

    def open_offer(self, phone: str) -> Request | None:
        """What was last offered to the guest, while they may still accept it."""
        row = self._database.one(_OPEN_OFFER, {"guest": self._seal.index(phone), "now": now_ms()})
        return None if row is None else self._request(row)

    def had(self, connection: Connection, booking_id: int, kind: RequestKind) -> bool:
        """Whether this was offered or asked for in that stay, whatever became of it."""
        sql = "SELECT 1 FROM requests WHERE booking_id = ? AND kind = ? LIMIT 1"
        return connection.execute(sql, (booking_id, kind)).fetchone() is not None

    def waiting(self) -> list[Request]:
        """What the desk must see to, oldest first."""
        return [self._request(row) for row in self._database.all(_WAITING)]

    def accept(self, connection: Connection, request_id: int) -> bool:
        """The guest takes an offer; False if it no longer stands."""
        values = {"id": request_id, "now": now_ms()}
        return self._moved(connection, _ACCEPT, values, GUEST) == 1

    def decline(self, connection: Connection, request_id: int) -> bool:
        """The guest doesn't want what was offered; False if it was no longer an offer."""
        values = {"id": request_id, "now": now_ms(), "by": GUEST}
        return self._moved(connection, _DECLINE, values, GUEST) == 1

    def close(
        self,
        connection: Connection,
        request_id: int,
        state: Literal[RequestState.DONE, RequestState.REFUSED],
        actor: str,
    ) -> bool:
        """The desk saw to it; False if somebody else was quicker."""
        values = {"id": request_id, "state": state, "now": now_ms(), "by": actor}
        return self._moved(connection, _CLOSE, values, actor) == 1

    def expire_due(self, connection: Connection) -> int:
        """End the offers whose time is over; how many."""
        return self._moved(connection, _EXPIRE, {"now": now_ms(), "by": PORTIERE}, PORTIERE)

    def _moved(
        self, connection: Connection, sql: str, values: Mapping[str, Any], actor: str
    ) -> int:
        """Run an update that returns the rows it changed, and note them; how many."""
        rows = connection.execute(sql, values).fetchall()
        for row in rows:
            self._note(connection, row, actor)
        return len(rows)

    def _note(self, connection: Connection, row: Row, actor: str) -> None:
        entry = Entry(
            f"request_{row['state']}",
            actor,
            row["guest"],
            booking_id=row["booking_id"],
            changes={"kind": (None, row["kind"])},
            request_id=row["id"],
        )
        history.write(connection, self._seal, entry, self._heard)

    def _request(self, row: Row) -> Request:
        return Request(
            request_id=row["id"],
            kind=RequestKind(row["kind"]),
            state=RequestState(row["state"]),
            phone=phone_of(self._seal, row),
            detail=self._seal.open(row["sealed_detail"], _context(row["id"])),
            created_at=from_ms(row["created_at"]),
            booking_id=row["booking_id"],
            price=None if row["price"] is None else Decimal(row["price"]),
            currency=row["currency"],
            expires_at=None if row["expires_at"] is None else from_ms(row["expires_at"]),
        )


def _context(request_id: int) -> str:
    return f"requests.detail:{request_id}"


_SELECT = """
SELECT requests.*, guests.sealed_phone
FROM requests JOIN guests ON guests.guest = requests.guest
"""

_INSERT = """
INSERT INTO requests (guest, booking_id, inbox_id, kind, state, sealed_detail, price, currency,
                      created_at, expires_at)
VALUES (:guest, :booking_id, :inbox_id, :kind, :state, x'', :price, :currency, :now, :expires_at)
RETURNING id, guest, booking_id, kind, state
"""

_OPEN_OFFER = f"""
{_SELECT} WHERE requests.guest = :guest AND state = 'offered'
AND (expires_at IS NULL OR expires_at > :now) ORDER BY requests.id DESC LIMIT 1
"""

_WAITING = f"{_SELECT} WHERE state IN ('accepted', 'open') ORDER BY requests.id"

_ACCEPT = """
UPDATE requests SET state = 'accepted'
WHERE id = :id AND state = 'offered' AND (expires_at IS NULL OR expires_at > :now)
RETURNING id, guest, booking_id, kind, state
"""

_DECLINE = """
UPDATE requests SET state = 'declined', closed_at = :now, closed_by = :by
WHERE id = :id AND state = 'offered'
RETURNING id, guest, booking_id, kind, state
"""

_CLOSE = """
UPDATE requests SET state = :state, closed_at = :now, closed_by = :by
WHERE id = :id AND state IN ('accepted', 'open')
RETURNING id, guest, booking_id, kind, state
"""

_EXPIRE = """
UPDATE requests SET state = 'expired', closed_at = :now, closed_by = :by
WHERE state = 'offered' AND expires_at <= :now
RETURNING id, guest, booking_id, kind, state
"""

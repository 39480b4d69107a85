"""What waits to be told to the cloud, in order, and what became of it.

``waiting → delivered``, or ``parked`` (the cloud won't have it, or didn't for too long): a dead
letter, which only a person sends on its way again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.sealing import Seal, SealError
from app.store.database import Connection, Database, Row, from_ms, to_ms

# One transaction of the housekeeping holds the write lock for a few milliseconds.
PURGED_AT_ONCE: Final = 500


@dataclass(frozen=True)
class WaitingEvent:
    """An event to be told, opened. ``encoded`` is its JSON, as the cloud gets it."""

    row_id: int
    event_id: str
    encoded: bytes


class WaitingEvents:
    """Reads and moves the rows of cloud_events."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    def first(self, most: int, most_bytes: int, up_to: int | None = None) -> list[WaitingEvent]:
        """The first that wait, in the order of their transactions; one of any size, or several of
        ``most_bytes`` together, and none with an id beyond ``up_to``.

        Ids are given out under the write lock: none turns up before one that was read. What can't
        be opened is parked.
        """
        found: list[WaitingEvent] = []
        size = 0
        for row in self._database.all(_FIRST, {"up_to": up_to, "most": most}):
            try:
                event = self._opened(row)
            except SealError as error:
                with self._database.transaction() as connection:
                    self.park(connection, row["id"], str(error))
                continue
            size += len(event.encoded)
            if found and size > most_bytes:
                break
            found.append(event)
        return found

    def delivered(self, connection: Connection, row_ids: Sequence[int], now: datetime) -> None:
        """The cloud has them, in the caller's transaction."""
        connection.executemany(_DELIVERED, [(to_ms(now), row_id) for row_id in row_ids])
        connection.executemany(_FORGOTTEN, [(row_id,) for row_id in row_ids])

    def park(self, connection: Connection, row_id: int, note: str) -> None:
        """The cloud won't have it; those after it go on. In the caller's transaction."""
        connection.execute(
            "UPDATE cloud_events SET state = 'parked', note = ?, attempts = attempts + 1 "
            "WHERE id = ? AND state = 'waiting'",
            (note, row_id),
        )

    def not_told(self, connection: Connection, row_ids: Sequence[int], note: str) -> None:
        """The cloud couldn't be told; in the caller's transaction."""
        connection.executemany(
            "UPDATE cloud_events SET attempts = attempts + 1, note = ? "
            "WHERE id = ? AND state = 'waiting'",
            [(note, row_id) for row_id in row_ids],
        )

    def park_older(self, connection: Connection, than: datetime) -> int:
        """Park what has waited since before ``than``, in the caller's transaction; how many."""
        changed = connection.execute(_PARK_OLDER, {"than": to_ms(than), "most": PURGED_AT_ONCE})
        return int(changed.rowcount)

    def purge(self, before: datetime) -> int:
        """Delete some of what was delivered before then; how many."""
        with self._database.transaction(durable=False) as connection:
            changed = connection.execute(_PURGE, {"before": to_ms(before), "most": PURGED_AT_ONCE})
            return int(changed.rowcount)

    def _opened(self, row: Row) -> WaitingEvent:
        plain = self._seal.open(row["sealed_payload"], f"cloud_events.payload:{row['event_id']}")
        told: dict[str, Any] = {
            "event_id": row["event_id"],
            "name": row["name"],
            "guest": None if row["guest"] is None else row["guest"].hex(),
            "occurred_at": from_ms(row["created_at"]).isoformat(),
            "payload": json.loads(plain),
        }
        encoded = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        return WaitingEvent(row["id"], row["event_id"], encoded)


_FIRST = """
SELECT id, event_id, name, guest, sealed_payload, created_at FROM cloud_events
WHERE state = 'waiting' AND (:up_to IS NULL OR id <= :up_to) ORDER BY id LIMIT :most
"""

_DELIVERED = """
UPDATE cloud_events SET state = 'delivered', delivered_at = ?, note = NULL, attempts = attempts + 1
WHERE id = ? AND state = 'waiting'
"""

# Its guest's index is all that is left of who was erased.
_FORGOTTEN = "DELETE FROM cloud_events WHERE id = ? AND name = 'guest.erased'"

_PARK_OLDER = """
UPDATE cloud_events SET state = 'parked', note = 'too old: ' || coalesce(note, 'never tried')
WHERE id IN (
    SELECT id FROM cloud_events WHERE state = 'waiting' AND waiting_since < :than LIMIT :most
)
"""

_PURGE = """
DELETE FROM cloud_events WHERE id IN (
    SELECT id FROM cloud_events WHERE state = 'delivered' AND delivered_at < :before LIMIT :most
)
"""

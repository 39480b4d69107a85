"""The outbox: the send ledger.

``pending → sending → sent → delivered → read``; ``unknown`` when the provider's answer was lost,
``failed`` when it will not be sent. States move forward only. The provider's echo of a message
settles it whatever we believed.
"""

from dataclasses import dataclass
from datetime import timedelta

from app.messages.events import Delivery, StatusReport
from app.store.database import Connection, Database, Row, milliseconds, now_ms
from app.store.seal import Seal

LONGEST_WAIT = timedelta(seconds=60)


@dataclass(frozen=True)
class OutboxRow:
    """A message claimed for sending, its columns opened."""

    row_id: int
    idempotency_key: str
    guest: bytes
    phone: str
    text: str
    attempts: int


class Outbox:
    """The outbox table. ``claim_time`` is how long a send may take before it is in doubt."""

    def __init__(
        self, database: Database, seal: Seal, grace: timedelta, claim_time: timedelta
    ) -> None:
        self._database = database
        self._seal = seal
        self._grace = milliseconds(grace)
        self._claim_time = milliseconds(claim_time)

    def add(
        self, connection: Connection, *, key: str, inbox_id: int | None, phone: str, text: str
    ) -> int | None:
        """Write a message to be sent, in the caller's transaction; None if its key was here."""
        now = now_ms()
        rows = connection.execute(
            _INSERT,
            {
                "key": key,
                "inbox_id": inbox_id,
                "guest": self._seal.index(phone),
                "sealed_phone": self._seal.seal(phone, f"outbox.phone:{key}"),
                "sealed_text": self._seal.seal(text, f"outbox.text:{key}"),
                "now": now,
                "next_at": now + self._grace,
            },
        ).fetchall()
        return int(rows[0]["id"]) if rows else None

    def claim(self, row_id: int) -> OutboxRow | None:
        """Move a row ``pending → sending``, durably, for this caller alone.

        None if it isn't pending, must wait, or an earlier message to the guest is still open.
        """
        with self._database.transaction() as connection:
            return self.claim_within(connection, row_id)

    def claim_within(self, connection: Connection, row_id: int) -> OutboxRow | None:
        """As :meth:`claim`, in the caller's transaction: send only once that is committed."""
        now = now_ms()
        rows = connection.execute(
            _CLAIM, {"id": row_id, "now": now, "in_doubt_at": now + self._claim_time}
        ).fetchall()
        return self._opened(rows[0]) if rows else None

    def sent(self, row_id: int, provider_id: str) -> None:
        """The provider took it.

        Not durable: if a power cut takes it back, the row is in doubt, and its echo settles it.
        """
        with self._database.transaction(durable=False) as connection:
            connection.execute(_SENT, {"id": row_id, "provider_id": provider_id, "now": now_ms()})

    def not_sent(self, row: OutboxRow, reason: str, after: timedelta | None) -> None:
        """Surely not sent: back to ``pending``, for later."""
        backoff = min(milliseconds(LONGEST_WAIT), 1000 << min(row.attempts, 16))
        wait = backoff if after is None else milliseconds(after)
        self._leave_sending(row.row_id, "pending", reason, wait)

    def refused(self, row_id: int, reason: str) -> None:
        """Surely not sent, and never will be."""
        self._leave_sending(row_id, "failed", reason, 0)

    def in_doubt(self, row_id: int, reason: str, echo_wait: timedelta) -> None:
        """Perhaps sent: ``unknown`` until its echo comes or the wait is over."""
        self._leave_sending(row_id, "unknown", reason, milliseconds(echo_wait))

    def settle(self, connection: Connection, report: StatusReport) -> bytes | None:
        """Apply a report of the provider, forward only, in the caller's transaction.

        Returns the blind index of the guest, or None if the message is not one of ours.
        """
        rows = connection.execute(
            "SELECT id, guest, state FROM outbox "
            "WHERE idempotency_key = :key OR provider_id = :provider_id",
            {"key": report.idempotency_key, "provider_id": report.provider_id},
        ).fetchall()
        if not rows:
            return None
        _apply(connection, rows[0], report)
        return bytes(rows[0]["guest"])

    def next_of_guest(self, guest: bytes) -> int | None:
        """The guest's first open message, if it may go now."""
        row = self._database.one(
            "SELECT id, state, not_before FROM outbox "
            "WHERE guest = ? AND state IN ('pending', 'sending', 'unknown') ORDER BY id LIMIT 1",
            (guest,),
        )
        if row is None or row["state"] != "pending" or row["not_before"] > now_ms():
            return None
        return int(row["id"])

    def _leave_sending(self, row_id: int, state: str, note: str, wait: int) -> None:
        # Only from 'sending': an echo may have settled the row while the provider was asked.
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE outbox SET state = :state, note = :note, not_before = :at, next_at = :at "
                "WHERE id = :id AND state = 'sending'",
                {"state": state, "note": note, "at": now_ms() + wait, "id": row_id},
            )

    def _opened(self, row: Row) -> OutboxRow:
        key = row["idempotency_key"]
        return OutboxRow(
            row["id"],
            key,
            row["guest"],
            self._seal.open(row["sealed_phone"], f"outbox.phone:{key}"),
            self._seal.open(row["sealed_text"], f"outbox.text:{key}"),
            row["attempts"],
        )


_RANK = {
    "pending": 0,
    "sending": 0,
    "unknown": 0,
    "failed": 1,
    "sent": 2,
    "delivered": 3,
    "read": 4,
}
_REACHED_AT = {
    Delivery.SENT: "sent_at",
    Delivery.DELIVERED: "delivered_at",
    Delivery.READ: "read_at",
}


def _apply(connection: Connection, row: Row, report: StatusReport) -> None:
    """Failed is the end, unless the provider says that it got there after all."""
    state = row["state"]
    if report.delivery is Delivery.FAILED:
        if _RANK[state] <= _RANK["sent"]:
            connection.execute(
                "UPDATE outbox SET state = 'failed', note = ?, "
                "provider_id = coalesce(provider_id, ?) WHERE id = ?",
                (
                    report.reason or "the provider could not deliver it",
                    report.provider_id,
                    row["id"],
                ),
            )
        return
    if _RANK[report.delivery] <= _RANK[state]:
        return
    # The column is one of three names of ours.
    connection.execute(
        f"UPDATE outbox SET state = :state, note = NULL, {_REACHED_AT[report.delivery]} = :now, "  # noqa: S608
        "sent_at = coalesce(sent_at, :now), provider_id = coalesce(provider_id, :provider_id) "
        "WHERE id = :id",
        {
            "state": report.delivery,
            "now": now_ms(),
            "provider_id": report.provider_id,
            "id": row["id"],
        },
    )


_INSERT = """
INSERT INTO outbox (idempotency_key, inbox_id, guest, sealed_phone, sealed_text, state,
                    created_at, not_before, next_at)
VALUES (:key, :inbox_id, :guest, :sealed_phone, :sealed_text, 'pending', :now, :now, :next_at)
ON CONFLICT DO NOTHING RETURNING id
"""

_CLAIM = """
UPDATE outbox SET state = 'sending', attempts = attempts + 1, sending_at = :now,
                  next_at = :in_doubt_at
WHERE id = :id AND state = 'pending' AND not_before <= :now
AND NOT EXISTS (
    SELECT 1 FROM outbox AS earlier
    WHERE earlier.guest = outbox.guest AND earlier.id < outbox.id
    AND earlier.state IN ('pending', 'sending', 'unknown')
)
RETURNING id, idempotency_key, guest, sealed_phone, sealed_text, attempts
"""

_SENT = """
UPDATE outbox SET provider_id = :provider_id, sent_at = coalesce(sent_at, :now), note = NULL,
                  state = CASE WHEN state IN ('delivered', 'read') THEN state ELSE 'sent' END
WHERE id = :id AND state IN ('sending', 'unknown', 'sent', 'delivered', 'read')
"""

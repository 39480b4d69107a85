"""Applying the provider's reports to the send ledger: forward only, in whatever order they come."""

from collections.abc import Callable
from typing import TypeAlias

from app.messages import echoes
from app.messages.events import Delivery, StatusReport
from app.store.database import Connection, Row, now_ms

_RANK = {
    "pending": 0,
    "sending": 0,
    "unknown": 0,
    "refused": 1,
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

MovedHook: TypeAlias = Callable[[Connection, int], None]
"""Is told the id of an outbox row that reached another state, in the transaction in which it did.
"""


def nobody(_connection: Connection, _outbox_id: int) -> None:
    """Nobody is to be told."""


def settle(
    connection: Connection, report: StatusReport, on_moved: MovedHook = nobody
) -> bytes | None:
    """Apply a report in the caller's transaction.

    Returns the blind index of the guest, or None if the message isn't here: a report on one of ours
    is then kept (`app.messages.echoes`).
    """
    rows = connection.execute(
        "SELECT id, guest, state, provider_id FROM outbox "
        "WHERE idempotency_key = :key OR provider_id = :provider_id",
        {"key": report.idempotency_key, "provider_id": report.provider_id},
    ).fetchall()
    if not rows:
        echoes.keep(connection, report)
        return None
    if _apply(connection, rows[0], report):
        on_moved(connection, int(rows[0]["id"]))
    return bytes(rows[0]["guest"])


def _apply(connection: Connection, row: Row, report: StatusReport) -> bool:
    """Failed is the end, unless the provider says that it got there after all; whether it moved."""
    state = row["state"]
    if report.delivery is Delivery.FAILED:
        if _RANK[state] > _RANK["sent"]:
            return False
        connection.execute(
            "UPDATE outbox SET state = 'failed', note = ?, "
            "provider_id = coalesce(provider_id, ?) WHERE id = ?",
            (
                report.reason or "the provider could not deliver it",
                report.provider_id,
                row["id"],
            ),
        )
        return True
    if _RANK[report.delivery] <= _RANK[state]:
        return False
    # "Sent" that was overtaken by "Error" is no news. A failure without the provider's id was only
    # our guess, when no answer had come.
    if report.delivery is Delivery.SENT and state == "failed" and row["provider_id"]:
        return False
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
    return True

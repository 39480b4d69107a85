"""Applying the provider's reports to the send ledger: forward only, in whatever order they come."""

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


def settle(connection: Connection, report: StatusReport) -> bytes | None:
    """Apply a report in the caller's transaction.

    Returns the blind index of the guest, or None if the message is not one of ours.
    """
    rows = connection.execute(
        "SELECT id, guest, state, provider_id FROM outbox "
        "WHERE idempotency_key = :key OR provider_id = :provider_id",
        {"key": report.idempotency_key, "provider_id": report.provider_id},
    ).fetchall()
    if not rows:
        return None
    _apply(connection, rows[0], report)
    return bytes(rows[0]["guest"])


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
    # "Sent" that was overtaken by "Error" is no news. A failure without the provider's id was only
    # our guess, when no answer had come.
    if report.delivery is Delivery.SENT and state == "failed" and row["provider_id"]:
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

"""Alerts to the desk: rows, one for one thing, each to be delivered by every channel configured."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from app.sealing import Seal, SealError
from app.settings import Settings
from app.store.database import Connection, Database, Row, milliseconds, now_ms

# Longer than any channel takes to answer: then whoever had claimed the delivery is gone.
CLAIM_TIME = timedelta(minutes=1)
LONGEST_WAIT = timedelta(minutes=10)
# A day later nobody needs to be woken for it; it stands in `portiere desk` all the same.
GIVEN_UP_AFTER = timedelta(hours=24)


class Channel(StrEnum):
    """How the desk is reached."""

    SLACK = "slack"
    EMAIL = "email"
    WHATSAPP = "whatsapp"


def configured(settings: Settings) -> tuple[Channel, ...]:
    """The channels that the host has configured; what may keep the others waiting comes last."""
    found = {
        Channel.WHATSAPP: bool(settings.alert_whatsapp),
        Channel.SLACK: bool(settings.alert_slack_url.get_secret_value()),
        Channel.EMAIL: bool(settings.alert_email_to),
    }
    return tuple(channel for channel, is_there in found.items() if is_there)


@dataclass(frozen=True)
class Delivery:
    """An alert claimed for one channel, opened."""

    delivery_id: int
    alert_id: int
    channel: Channel
    kind: str
    text: str
    urgent: bool
    attempts: int


class Alerts:
    """The alerts and their deliveries. ``channels`` are those that the host has configured."""

    def __init__(self, database: Database, seal: Seal, channels: Sequence[Channel]) -> None:
        self._database = database
        self._seal = seal
        self._channels = channels

    def raise_alert(  # noqa: PLR0913 - an alert has so many parts
        self,
        connection: Connection,
        *,
        key: str,
        kind: str,
        guest: bytes | None,
        text: str,
        urgent: bool = False,
        only: Collection[Channel] | None = None,
    ) -> int | None:
        """Write an alert, in the caller's transaction; None if one of this key was here.

        It goes by every channel that is configured, or by those of them that are in ``only``.
        """
        now = now_ms()
        rows = connection.execute(
            "INSERT INTO alerts (key, kind, guest, sealed_text, urgent, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
            (key, kind, guest, self._seal.seal(text, f"alerts.text:{key}"), urgent, now),
        ).fetchall()
        if not rows:
            return None
        alert_id = int(rows[0]["id"])
        connection.executemany(
            "INSERT INTO alert_deliveries (alert_id, channel, state, next_at) "
            "VALUES (?, ?, 'pending', ?)",
            [
                (alert_id, channel, now)
                for channel in self._channels
                if only is None or channel in only
            ],
        )
        return alert_id

    def claim(self) -> Delivery | None:
        """The delivery that is due, the urgent and then the oldest first, for this caller alone.

        If it doesn't come back with :meth:`delivered`, :meth:`postpone` or :meth:`failed`, it is
        due again after :data:`CLAIM_TIME`: an alert may come twice, and never gets lost.
        """
        while (row := self._claim_row()) is not None:
            try:
                text = self._seal.open(row["sealed_text"], f"alerts.text:{row['key']}")
            except SealError as error:
                self.failed(row["id"], str(error))
                continue
            return Delivery(
                delivery_id=row["id"],
                alert_id=row["alert_id"],
                channel=Channel(row["channel"]),
                kind=row["kind"],
                text=text,
                urgent=bool(row["urgent"]),
                attempts=row["attempts"] + 1,
            )
        return None

    def delivered(self, connection: Connection, delivery_id: int) -> bool:
        """It reached the channel; in the caller's transaction. False if it was erased meanwhile."""
        changed = connection.execute(
            "UPDATE alert_deliveries SET state = 'sent', sent_at = ?, note = NULL WHERE id = ?",
            (now_ms(), delivery_id),
        )
        return changed.rowcount == 1

    def postpone(self, delivery: Delivery, reason: str, after: timedelta | None = None) -> bool:
        """Try again later, by ``after`` or ever more seldom; False if given up or erased."""
        backoff = min(milliseconds(LONGEST_WAIT), 1000 << min(delivery.attempts, 20))
        now = now_ms()
        with self._database.transaction(durable=False) as connection:
            rows = connection.execute(
                _POSTPONE,
                {
                    "id": delivery.delivery_id,
                    "reason": reason,
                    "at": now + (backoff if after is None else milliseconds(after)),
                    "too_old": now - milliseconds(GIVEN_UP_AFTER),
                },
            ).fetchall()
        return bool(rows) and rows[0]["state"] == "pending"

    def failed(self, delivery_id: int, reason: str) -> None:
        """It never will reach the channel."""
        with self._database.transaction(durable=False) as connection:
            connection.execute(
                "UPDATE alert_deliveries SET state = 'failed', note = ? WHERE id = ?",
                (reason, delivery_id),
            )

    def _claim_row(self) -> Row | None:
        now = now_ms()
        if self._database.one(_DUE, {"now": now}) is None:
            return None  # asked without taking the write lock
        with self._database.transaction(durable=False) as connection:
            found: list[Row] = connection.execute(_DUE, {"now": now}).fetchall()
            for row in found:
                connection.execute(
                    "UPDATE alert_deliveries SET attempts = attempts + 1, next_at = ? WHERE id = ?",
                    (now + milliseconds(CLAIM_TIME), row["id"]),
                )
        return found[0] if found else None


_DUE = """
SELECT alert_deliveries.id, alert_id, channel, attempts, alerts.key, kind, sealed_text, urgent
FROM alert_deliveries JOIN alerts ON alerts.id = alert_id
WHERE state = 'pending' AND next_at <= :now ORDER BY urgent DESC, alert_deliveries.id LIMIT 1
"""

_POSTPONE = """
UPDATE alert_deliveries SET note = :reason, next_at = :at,
    state = CASE WHEN (SELECT created_at FROM alerts WHERE alerts.id = alert_id) < :too_old
            THEN 'failed' ELSE 'pending' END
WHERE id = :id RETURNING state
"""

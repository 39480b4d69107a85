"""Reports on messages that this database knows nothing of, kept until it does.

A leader may have handed a message over in its last moments, unknown to the copy that the next one
leads from. The provider's reports on it come to the next one; when that has answered the same guest
by the same key, the message is settled by what was reported and not sent again.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from app.messages.events import Delivery, StatusReport
from app.store.database import Connection, milliseconds, now_ms

# Longer than anybody is without a leader; a report that is later than this settles nothing.
KEEP: Final = timedelta(days=7)
# How the keys begin that `app.messages.outbox.Draft` may have. By the same key another leader means
# the same message: none of them is counted by a database.
_OURS: Final = re.compile(r"(?:(?:reply|person|alert)-|[a-z_]+:).{1,500}")


@dataclass(frozen=True)
class Echo:
    """How far a message got, and the provider's id of it."""

    provider_id: str
    delivery: Delivery


def is_ours(key: str) -> bool:
    """Whether a message of ours may have this idempotency key."""
    return _OURS.fullmatch(key) is not None


def keep(connection: Connection, report: StatusReport) -> bool:
    """Keep a report on a message that isn't here, in the caller's transaction; whether it is ours.

    Of several on one message the one that got farthest is kept.
    """
    key = report.idempotency_key
    if key is None or not is_ours(key):
        return False
    connection.execute(
        _KEEP,
        {
            "key": key,
            "provider_id": report.provider_id,
            "delivery": report.delivery,
            "now": now_ms(),
        },
    )
    return True


def take(connection: Connection, key: str) -> Echo | None:
    """What was reported on the message of this key, once, in the caller's transaction."""
    found = connection.execute(
        "SELECT provider_id, delivery FROM echoes WHERE idempotency_key = ?", (key,)
    ).fetchall()
    if not found:
        return None
    connection.execute("DELETE FROM echoes WHERE idempotency_key = ?", (key,))
    return Echo(found[0]["provider_id"], Delivery(found[0]["delivery"]))


def purge(connection: Connection) -> int:
    """Forget what nothing has been asked about for :data:`KEEP`; how many."""
    before = now_ms() - milliseconds(KEEP)
    return int(connection.execute("DELETE FROM echoes WHERE at < ?", (before,)).rowcount)


# As far as `app.messages.settling` goes: failed is the end of what was sent, unless it got there.
_KEEP: Final = """
INSERT INTO echoes (idempotency_key, provider_id, delivery, at)
VALUES (:key, :provider_id, :delivery, :now)
ON CONFLICT DO UPDATE SET provider_id = :provider_id, delivery = :delivery, at = :now
WHERE instr('sent failed delivered read', :delivery)
    > instr('sent failed delivered read', echoes.delivery)
"""

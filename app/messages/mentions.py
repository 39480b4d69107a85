"""Rows about a guest that don't carry their blind index.

A provider's reports name the phone they went to, and a message to the desk's own phone may say who
needs a person. Both are opened, all of them, and looked through; a hundred thousand take some four
seconds, so do it outside a transaction.
"""

import json
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass

from app.sealing import Seal
from app.store.database import Database, Row
from app.store.sealed import readable


@dataclass(frozen=True)
class Mentions:
    """Rows of the inbox without a guest, and of the outbox to the desk, oldest first."""

    inbox: list[Row]
    desk: list[Row]


def find(database: Database, seal: Seal, phone: str) -> Mentions:
    """The rows that name ``phone`` (E.164), or say to the desk what an alert about it says."""
    pattern = _pattern(phone)
    alerts = _alert_texts(database, seal, seal.index(phone))
    reports = database.connection.execute("SELECT * FROM inbox WHERE guest IS NULL ORDER BY id")
    to_desk = database.connection.execute("SELECT * FROM outbox WHERE kind = 'desk' ORDER BY id")
    return Mentions(
        inbox=[row for row in reports if pattern.search(_body(seal, row))],
        desk=[row for row in to_desk if _says(_message(seal, row), pattern, alerts)],
    )


def _body(seal: Seal, row: Row) -> str:
    return seal.open(row["sealed_body"], f"inbox.body:{row['event_id']}")


def _message(seal: Seal, row: Row) -> str:
    return seal.open(row["sealed_message"], f"outbox.message:{row['idempotency_key']}")


def _pattern(phone: str) -> re.Pattern[str]:
    """The number's digits however they are spaced, and not as a part of a longer number."""
    return re.compile(r"(?<!\d)" + r"[\s().-]*".join(phone.removeprefix("+")) + r"(?!\d)")


def _alert_texts(database: Database, seal: Seal, guest: bytes) -> Set[str]:
    rows = database.all("SELECT * FROM alerts WHERE guest = ?", (guest,))
    return {readable(seal, "alerts", row)["text"] for row in rows}


def _says(message: str, pattern: re.Pattern[str], alerts: Set[str]) -> bool:
    if not message:
        return False  # erased before
    said = list(_texts(json.loads(message)))
    return any(pattern.search(text) or any(alert in text for alert in alerts) for text in said)


def _texts(value: object) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)

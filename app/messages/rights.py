"""A guest's rights: all that is held about them (GDPR art. 15, 20), and its erasure (art. 17)."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from app.guests import rights as guest_rights
from app.messages import command_rights, mentions
from app.messages.mentions import Mentions
from app.sealing import Seal
from app.store.database import Connection, Database, Row, now_ms
from app.store.sealed import emptied, readable

# As long as a blind index, and telling nothing.
PSEUDONYM_BYTES = 32


class StillToSendError(Exception):
    """Something of the guest's is still under way; nothing was erased."""


def export(database: Database, seal: Seal, phone: str) -> dict[str, Any] | None:
    """All that is held about ``phone`` (E.164), as JSON can have it; None if that is nothing.

    ``{guest, bookings, history, requests, inbox, outbox, reports, desk, alerts, conversation,
    commands, cloud_events}``: ``inbox`` is what they wrote, ``outbox`` what we wrote; ``reports``
    are the provider's reports of those, ``desk`` and ``alerts`` what the desk was told,
    ``commands`` what the cloud still wants done, ``cloud_events`` what it was told. Times are
    ISO 8601 in UTC.
    """
    guest = seal.index(phone)
    found = mentions.find(database, seal, phone)

    def rows(table: str) -> list[Row]:
        return database.all(f"SELECT * FROM {table} WHERE guest = ?", (guest,))  # noqa: S608 - ours

    conversations = [readable(seal, "conversations", row) for row in rows("conversations")]
    everything = guest_rights.held(database, seal, guest) | {
        "inbox": _parsed(seal, "inbox", rows("inbox"), "body"),
        "outbox": _parsed(seal, "outbox", rows("outbox"), "message"),
        "reports": _parsed(seal, "inbox", found.inbox, "body"),
        "desk": _parsed(seal, "outbox", found.desk, "message"),
        "alerts": [readable(seal, "alerts", row) for row in rows("alerts")],
        "conversation": conversations[0] if conversations else None,
        "commands": command_rights.held(database, seal, guest, phone),
        "cloud_events": _parsed(seal, "cloud_events", database.all(_TOLD, (guest,)), "payload"),
    }
    for entry in everything["history"]:
        entry["detail"] = json.loads(entry["detail"]) if entry["detail"] else None
    return {"phone": phone, **everything} if any(everything.values()) else None


def nobody(_connection: Connection, _guest: bytes) -> None:
    """Nobody is to be told."""


def erase(
    database: Database,
    seal: Seal,
    phone: str,
    *,
    force: bool = False,
    on_erased: Callable[[Connection, bytes], None] = nobody,
) -> Counter[str]:
    """Erase what is held about ``phone`` (E.164); how many rows of each table held something.

    The ledger keeps that a message was sent and when, not to whom nor what: the guest's blind index
    becomes random bytes, the same in all of its rows. Raises :class:`StillToSendError` while
    something is to be sent to the guest or told to the desk about them, unless ``force`` cancels
    it. ``on_erased`` is given the blind index, in the same transaction, if there was anything.
    Reports of the provider that come in later name the phone again: they are found by a
    later erasure.
    """
    guest = seal.index(phone)
    found = mentions.find(database, seal, phone)
    with database.transaction() as connection:
        if not force:
            _refuse_if_under_way(connection, guest, found)
        erased = _erase(connection, seal, phone, found)
        if erased.total():
            on_erased(connection, guest)
    # The write-ahead log still has the pages as they were.
    database.all("PRAGMA wal_checkpoint(TRUNCATE)")
    return erased


def _parsed(seal: Seal, table: str, rows: Iterable[Row], json_column: str) -> list[dict[str, Any]]:
    opened = [readable(seal, table, row) for row in rows]
    return [{**row, json_column: json.loads(row[json_column])} for row in opened]


def _refuse_if_under_way(connection: Connection, guest: bytes, found: Mentions) -> None:
    desk = json.dumps([row["id"] for row in found.desk])
    (row,) = connection.execute(_UNDER_WAY, {"guest": guest, "desk": desk}).fetchall()
    counts = {**row, "commanded": command_rights.under_way(connection, guest)}
    reasons = [
        f"{counts[column]} {what}"
        for column, what in (
            ("unanswered", "messages of theirs are still to be answered"),
            ("unsent", "messages are still to be sent to them"),
            ("untold", "alerts about them are still to reach the desk"),
            ("commanded", "commands about them are still to be carried out"),
        )
        if counts[column]
    ]
    if reasons:
        raise StillToSendError(
            f"Nothing was erased: {', '.join(reasons)}. Try again once that is done, or cancel it "
            "with --force."
        )


def _erase(connection: Connection, seal: Seal, phone: str, found: Mentions) -> Counter[str]:
    guest = seal.index(phone)
    pseudonym = os.urandom(PSEUDONYM_BYTES)
    erased: Counter[str] = Counter()
    erased["inbox"] += _erase_inbox(connection, seal, _of(connection, "inbox", guest), pseudonym)
    erased["inbox"] += _erase_inbox(connection, seal, found.inbox, None)
    erased["outbox"] += _erase_outbox(connection, seal, _of(connection, "outbox", guest), pseudonym)
    erased["outbox"] += _erase_desk(connection, seal, found.desk)
    erased["alerts"] += _erase_alerts(connection, guest)
    erased["conversations"] += connection.execute(
        "DELETE FROM conversations WHERE guest = ?", (guest,)
    ).rowcount
    erased["commands"] += command_rights.erase(connection, seal, guest, phone)
    erased["cloud_events"] += connection.execute(_EVENTS, (guest,)).rowcount
    erased.update(guest_rights.erase(connection, seal, guest, pseudonym))
    if erased.total():
        guest_rights.note_erasure(connection, seal, pseudonym)
    return +erased


def _of(connection: Connection, table: str, guest: bytes) -> list[Row]:
    sql = f"SELECT * FROM {table} WHERE guest = ?"  # noqa: S608 - a table of ours
    return connection.execute(sql, (guest,)).fetchall()


def _erase_inbox(
    connection: Connection, seal: Seal, rows: list[Row], pseudonym: bytes | None
) -> int:
    for row in rows:
        values = {**emptied(seal, "inbox", row), "id": row["id"], "guest": pseudonym}
        connection.execute(_INBOX, {**values, "now": now_ms()})
    return len(rows)


def _erase_outbox(connection: Connection, seal: Seal, rows: list[Row], pseudonym: bytes) -> int:
    for row in rows:
        values = {**emptied(seal, "outbox", row), "id": row["id"], "guest": pseudonym}
        connection.execute(_OUTBOX, values)
    return len(rows)


def _erase_desk(connection: Connection, seal: Seal, rows: list[Row]) -> int:
    """Messages to the desk's own phone lose what they say, and keep to whom they went."""
    for row in rows:
        kept = {"sealed_phone": row["sealed_phone"], "guest": row["guest"]}
        values = {**emptied(seal, "outbox", row), **kept, "id": row["id"]}
        connection.execute(_OUTBOX, values)
    return len(rows)


def _erase_alerts(connection: Connection, guest: bytes) -> int:
    connection.execute(
        "DELETE FROM alert_deliveries WHERE alert_id IN (SELECT id FROM alerts WHERE guest = ?)",
        (guest,),
    )
    return connection.execute("DELETE FROM alerts WHERE guest = ?", (guest,)).rowcount


_UNDER_WAY = """
SELECT (SELECT count(*) FROM inbox WHERE guest = :guest AND state = 'received') AS unanswered,
       (SELECT count(*) FROM outbox
        WHERE guest = :guest AND state IN ('pending', 'sending', 'unknown')) AS unsent,
       (SELECT count(*) FROM alerts JOIN alert_deliveries ON alert_id = alerts.id
        WHERE guest = :guest AND state = 'pending')
       + (SELECT count(*) FROM outbox WHERE id IN (SELECT value FROM json_each(:desk))
          AND state IN ('pending', 'sending', 'unknown')) AS untold
"""

# That somebody was erased is what the cloud must still hear; the row goes once it has.
_TOLD = "SELECT * FROM cloud_events WHERE guest = ? AND name <> 'guest.erased' ORDER BY id"
_EVENTS = "DELETE FROM cloud_events WHERE guest = ? AND name <> 'guest.erased'"

# The event's id stays: an event that is delivered again must be known. Notes may quote anything.
_INBOX = """
UPDATE inbox SET guest = :guest, sealed_body = :sealed_body, note = NULL,
                 done_at = coalesce(done_at, :now),
                 state = CASE WHEN state = 'received' THEN 'ignored' ELSE state END
WHERE id = :id
"""

# A send that is under way finds its row no longer 'sending' and leaves it; its report, if one
# comes, still says how far it got.
_OUTBOX = """
UPDATE outbox SET guest = :guest, sealed_phone = :sealed_phone, sealed_message = :sealed_message,
                  dedupe_key = NULL, note = NULL,
                  state = CASE WHEN state IN ('pending', 'sending', 'unknown') THEN 'failed'
                               ELSE state END
WHERE id = :id
"""

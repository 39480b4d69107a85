"""What commands hold about a guest: to be given out, and to be taken away.

Only those that are not done hold anything: a done one has no payload any more, and its result names
nobody. A batch is about several guests, each of whom has a right to their own part only.
"""

import json
from typing import Any

from app.sealing import Seal
from app.store.database import Connection, Database, Row
from app.store.sealed import emptied, readable

_OF_GUEST = """
SELECT * FROM commands WHERE id IN (
    SELECT command FROM command_subjects WHERE subject = ? AND is_guest
) ORDER BY id
"""


def held(database: Database, seal: Seal, guest: bytes, phone: str) -> list[dict[str, Any]]:
    """The commands about ``phone``, opened, without what they say about others."""
    found = []
    for row in database.all(_OF_GUEST, (guest,)):
        shown = readable(seal, "commands", row)
        del shown["digest"]  # it means nothing to anybody
        shown["payload"] = _part(json.loads(shown["payload"]), phone, is_theirs=True)
        found.append(shown)
    return found


def under_way(connection: Connection, guest: bytes) -> int:
    """How many are still to be carried out."""
    rows = connection.execute(_OF_GUEST, (guest,)).fetchall()
    return sum(row["state"] == "received" for row in rows)


def erase(connection: Connection, seal: Seal, guest: bytes, phone: str) -> int:
    """Take what is about ``phone`` out of each, in the caller's transaction; how many there were.

    One that was about nobody else is carried out no more.
    """
    rows = connection.execute(_OF_GUEST, (guest,)).fetchall()
    for row in rows:
        _erase(connection, seal, row, phone)
    connection.execute("DELETE FROM command_subjects WHERE subject = ?", (guest,))
    return len(rows)


def _erase(connection: Connection, seal: Seal, row: Row, phone: str) -> None:
    context = f"commands.payload:{row['command_id']}"
    left = _part(json.loads(seal.open(row["sealed_payload"], context)), phone, is_theirs=False)
    if left:
        sealed = seal.seal(json.dumps(left), context)
        connection.execute(
            "UPDATE commands SET sealed_payload = ? WHERE id = ?", (sealed, row["id"])
        )
        return
    nothing = emptied(seal, "commands", row)["sealed_payload"]
    connection.execute(_EMPTY, {"id": row["id"], "sealed_payload": nothing})


def _part(payload: dict[str, Any], phone: str, *, is_theirs: bool) -> dict[str, Any]:
    """What of a payload is about ``phone``, or about others; empty if that is nothing."""
    if "messages" not in payload:
        return payload if is_theirs else {}
    part = [one for one in payload["messages"] if (one["phone"] == phone) is is_theirs]
    return {**payload, "messages": part} if part else {}


_EMPTY = """
UPDATE commands SET sealed_payload = :sealed_payload, note = NULL,
                    state = CASE WHEN state = 'received' THEN 'discarded' ELSE state END
WHERE id = :id
"""

"""The sealed columns, all of them: what names the row in the context of each.

The context of a value is ``table.name:row``, where ``row`` is the text of the column ``row_key``
(a blind index in hex). Whoever seals writes it by hand; what must know all sealed columns, such as
rotation or a guest's export, goes by this list.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.sealing import Seal
from app.store.database import Row, from_ms

_PREFIX = "sealed_"
# As the schema names its times.
_TIME = re.compile(r"at|.*_at|.*_since|not_before")


@dataclass(frozen=True)
class SealedColumn:
    """One sealed column. Its table has an ``id``."""

    table: str
    column: str
    row_key: str

    @property
    def name(self) -> str:
        """How contexts and messages call it: ``outbox.phone``."""
        return f"{self.table}.{self.column.removeprefix(_PREFIX)}"

    def context(self, row: Row) -> str:
        """The context of this column in ``row``, which must hold ``row_key``."""
        key = row[self.row_key]
        return f"{self.name}:{key.hex() if isinstance(key, bytes) else key}"


SEALED_COLUMNS = (
    SealedColumn("inbox", "sealed_body", "event_id"),
    SealedColumn("outbox", "sealed_phone", "idempotency_key"),
    SealedColumn("outbox", "sealed_message", "idempotency_key"),
    SealedColumn("guests", "sealed_phone", "guest"),
    SealedColumn("guests", "sealed_name", "guest"),
    SealedColumn("guests", "sealed_email", "guest"),
    SealedColumn("history", "sealed_detail", "id"),
    SealedColumn("requests", "sealed_detail", "id"),
    SealedColumn("alerts", "sealed_text", "key"),
    SealedColumn("commands", "sealed_payload", "command_id"),
    SealedColumn("commands", "sealed_result", "command_id"),
    SealedColumn("cloud_events", "sealed_payload", "event_id"),
)


def columns_of(table: str) -> Iterator[SealedColumn]:
    """The sealed columns of ``table``."""
    return (column for column in SEALED_COLUMNS if column.table == table)


def emptied(seal: Seal, table: str, row: Row) -> Mapping[str, bytes]:
    """Nothing, sealed, for each sealed column of a row: for columns that can't be NULL."""
    return {column.column: seal.seal("", column.context(row)) for column in columns_of(table)}


def readable(seal: Seal, table: str, row: Row) -> dict[str, Any]:
    """A whole row (``SELECT *``) for a person: sealed columns opened, times as ISO 8601 in UTC.

    The blind index is left out: it means nothing to anybody. Raises
    :class:`app.sealing.SealError`.
    """
    shown = {
        key: from_ms(value).isoformat() if _TIME.fullmatch(key) and value is not None else value
        for key, value in dict(row).items()
        if key != "guest" and not key.startswith(_PREFIX)
    }
    for column in columns_of(table):
        sealed = row[column.column]
        opened = None if sealed is None else seal.open(sealed, column.context(row))
        shown[column.column.removeprefix(_PREFIX)] = opened
    return shown

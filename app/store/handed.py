"""Rows that one node hands to the other: how they are written in JSON, and which they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

# No id is larger.
_NO_ID: Final = 2**63 - 1


class Handed(BaseModel):
    """A row under way. What is sealed stays so: both nodes have the same keys. Bytes are base64;
    times are milliseconds, as the store has them."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        hide_input_in_errors=True,
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )


class Verdict(StrEnum):
    """What became of a row that was offered.

    ``new``: it wasn't here. ``known``: it was. ``settled``: what became of a message, which wasn't
    known here. ``differs``: it is here otherwise, and stays so. ``refused``: it can't be read here.
    """

    NEW = "new"
    KNOWN = "known"
    SETTLED = "settled"
    DIFFERS = "differs"
    REFUSED = "refused"


@dataclass(frozen=True)
class Tail:
    """Which rows the other node may lack: those above the highest id of the table that it had, and
    those not older than ``cut`` (ms), which it may have otherwise."""

    cut: int
    ids: Mapping[str, int] = field(default_factory=dict)

    def of(self, table: str, after: int = 0) -> Mapping[str, Any]:
        """The parameters of a query: ``:has_ids``, ``:known``, ``:cut``, ``:after`` which id."""
        known = self.ids.get(table)
        return {
            "has_ids": known is not None,
            "known": _NO_ID if known is None else known,
            "cut": self.cut,
            "after": after,
        }

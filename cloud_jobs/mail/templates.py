"""Subjects as the booking sites write them, as a table of patterns with what each one means."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from cloud_jobs.mail.results import Kind

# Every part has an end, so a subject (at most 500 characters) is read in no time.
_PARTS = {
    "code": r"(?P<code>[A-Z0-9-]{4,20})",
    "number": r"(?P<code>\d{6,12})",
    "date": r"(?P<date>[^()]{1,60}?)",
    "dates": r"(?P<dates>[^()#]{5,60}?)",
    "dotted": r"(?P<dates>\d{1,2}\.\d{1,2}\.\d{2,4} ?[-\u2013\u2014] ?\d{1,2}\.\d{1,2}\.\d{2,4})",
    "guest": r"(?P<guest>[^<>]{1,100}?)",
    "unit": r"(?P<unit>[^<>]{1,100}?)",
    "listing": r"(?P<unit>[A-Za-z0-9.]{1,40})",
    "channel": r"(?P<channel>[^()]{1,40}?)",
}


@dataclass(frozen=True)
class Subject:
    """``inferred``: nobody has shown us such a mail; the wording is ours, after its siblings'."""

    pattern: str
    language: str
    kind: Kind
    inferred: bool = False


@dataclass(frozen=True)
class Said:
    """What a subject said: the line of the table that it fits, and its parts by name."""

    language: str
    kind: Kind
    parts: dict[str, str]

    def part(self, name: str) -> str | None:
        return self.parts.get(name) or None


def matched(table: Iterable[Subject], subject: str) -> Said | None:
    """The first line of ``table`` that the whole of ``subject`` fits."""
    for line in table:
        if found := _compiled(line.pattern).fullmatch(subject):
            parts = {name: value.strip() for name, value in found.groupdict().items() if value}
            return Said(line.language, line.kind, parts)
    return None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """``{guest}`` and its like are the parts above; dashes and "!" fit however they are spaced."""
    pieces = []
    for piece in re.split(r"(\{\w+\}| ?!| - | ?: )", pattern):
        if piece.startswith("{"):
            pieces.append(_PARTS[piece[1:-1]])
        elif piece.strip() == "!":
            pieces.append(" ?!?")
        elif piece.strip() == "-":
            pieces.append(r" [-\u2013\u2014] ")
        elif piece.strip() == ":":
            pieces.append(" ?: ?")
        else:
            pieces.append(re.escape(piece))
    return re.compile("".join(pieces), re.IGNORECASE)

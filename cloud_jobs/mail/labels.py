"""The values that stand beside or below their labels in a mail's text.

A guest's own words are in some of these mails too, so a label is only believed if all its
occurrences say the same.
"""

from collections.abc import Iterable, Iterator

from cloud_jobs.mail.words import fold

Rows = list[list[str]]
# Field to labels, folded (:func:`cloud_jobs.mail.words.fold`).
Labels = dict[str, frozenset[str]]


def labels(**fields: str) -> Labels:
    """A table of labels, written as the mails have them and parted by ``|``."""
    return {field: frozenset(map(fold, names.split("|"))) for field, names in fields.items()}


def claims(bodies: list[Rows], table: Labels, *, spaced: bool = False) -> dict[str, list[str]]:
    """All that stands at the labels of each field, in the first of a mail's parts that has any.

    ``spaced``: a value may follow its label after one space only.
    """
    each = (_claims(rows, table, spaced) for rows in bodies)
    return next((found for found in each if found), {})


def believed(claimed: dict[str, list[str]]) -> dict[str, str]:
    """The fields of which there is one value only."""
    agreeing = ((field, agreed(values)) for field, values in claimed.items())
    return {field: value for field, value in agreeing if value}


def agreed(values: Iterable[str | None]) -> str | None:
    """What all say that say something; None if they differ."""
    different = {fold(value): value for value in values if value}
    return next(iter(different.values())) if len(different) == 1 else None


def contradict(values: Iterable[str | None]) -> bool:
    """Whether two of those that say something say different things."""
    return len({fold(value) for value in values if value}) > 1


def _claims(rows: Rows, table: Labels, spaced: bool) -> dict[str, list[str]]:
    known = {label: field for field, names in table.items() for label in names}
    found: dict[str, list[str]] = {}
    for row, below in zip(rows, [*rows[1:], []], strict=True):
        for field, value in _of_row(row, below, known, spaced):
            found.setdefault(field, []).append(value)
    return found


def _of_row(
    row: list[str], below: list[str], known: dict[str, str], spaced: bool
) -> Iterator[tuple[str, str]]:
    for column, cell in enumerate(row):
        label, colon, rest = cell.partition(":")
        if colon and rest.strip() and (field := known.get(fold(label))):
            yield field, rest.strip()
        elif field := known.get(fold(cell)):
            if value := _beside_or_below(column, row, below, known):
                yield field, value
        elif spaced and (pair := _after_its_words(cell, known)):
            yield pair


def _beside_or_below(
    column: int, row: list[str], below: list[str], known: dict[str, str]
) -> str | None:
    """Beside it, unless that is a label as well; else in the same column of the next row."""
    beside = row[column + 1] if column + 1 < len(row) else None
    if beside and not _is_label(beside, known):
        return beside
    under = below[column] if column < len(below) else None
    return None if under is None or _is_label(under, known) else under


def _is_label(cell: str, known: dict[str, str]) -> bool:
    label, colon, _ = cell.partition(":")
    return fold(cell) in known or (bool(colon) and fold(label) in known)


def _after_its_words(cell: str, known: dict[str, str]) -> tuple[str, str] | None:
    words = cell.split(" ")
    for count in range(min(4, len(words) - 1), 0, -1):
        if field := known.get(fold(" ".join(words[:count]))):
            return field, " ".join(words[count:])
    return None

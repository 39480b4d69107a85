"""Which messages are as good as the same: alike when folded, or but for one edit."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from app.conversation import features

# Characters. In a shorter text an edit makes another word: "no" and "ok", "stop" and "shop".
_SHORTEST_WITH_EDITS: Final = 5


def normalised(text: str) -> str:
    """The words without case, accents and punctuation; of signs alone, the signs."""
    pieces = features.words(text)
    return " ".join([piece for piece in pieces if piece.isalnum()] or pieces)


def alike(one: str, other: str) -> bool:
    """Whether two normalised texts are as good as the same."""
    if min(len(one), len(other)) < _SHORTEST_WITH_EDITS:
        return one == other
    return within_one_edit(one, other)


def within_one_edit(one: str, other: str) -> bool:
    """Whether at most one character is added, left out or another."""
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1:
        return False
    at = next((i for i, char in enumerate(one) if char != other[i]), len(one))
    return one[at + (len(one) == len(other)) :] == other[at + 1 :]


class Neighbours:
    """Finds the texts alike to another, among many, without comparing with each.

    One edit leaves the first or the second half of a text as it was: a neighbour begins with the
    one or ends with the other.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        """Keep the halves of ``texts``, each of at least one character."""
        self._by_start: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
        self._by_end: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
        for text in texts:
            half = len(text) // 2
            self._by_start[len(text), text[:half]].add(text)
            self._by_end[len(text), text[half:]].add(text)

    def of(self, text: str) -> Iterator[str]:
        """Those alike to ``text``, itself among them, each once."""
        found: set[str] = set()
        for length in range(max(1, len(text) - 1), len(text) + 2):
            half = length // 2
            end = text[-(length - half) :]
            found |= self._by_start.get((length, text[:half]), set())
            found |= self._by_end.get((length, end), set())
        return (one for one in found if alike(text, one))

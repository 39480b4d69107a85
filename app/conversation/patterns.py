"""A small language for phrases, and the engine that finds them in a list of words.

One phrase of a patterns file is words with spaces between; accents and case don't matter. Also:

- ``a/b``   either word
- ``park*`` any word that begins so
- ``...``   up to four words of any kind, within one clause
- ``^`` ``$`` the beginning and the end of the whole message
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from app.conversation.words import BREAKS, fold

_GAP: Final = "..."
_GAP_WORDS: Final = 4  # "to speak ... person": more would join what doesn't belong together
_START: Final = "^"
_END: Final = "$"
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
# In shorter words one wrong letter makes another word ("fire", "hire"); longer ones are no words.
_TYPO_LETTERS: Final = range(6, 31)

Key = TypeVar("Key", bound=Hashable)


class Match(NamedTuple, Generic[Key]):
    """A phrase of `key` stands at words[start:end]."""

    key: Key
    start: int
    end: int

    def places(self) -> range:
        return range(self.start, self.end)


@dataclass(frozen=True)
class _Phrase:
    """Alternatives for each place; a place holding only ``...`` is a gap."""

    places: tuple[frozenset[str], ...]

    def ends(self, seen: Sequence[frozenset[str]], start: int, place: int = 0) -> Iterator[int]:
        """Where the phrase may end if its `place` is to stand at `start` of what was seen."""
        if place == len(self.places):
            yield start
            return
        if _GAP in self.places[place]:
            for at in range(start, min(start + _GAP_WORDS + 1, len(seen))):
                yield from self.ends(seen, at, place + 1)
                if not BREAKS.isdisjoint(seen[at]):
                    return
            return
        if start < len(seen) and not self.places[place].isdisjoint(seen[start]):
            yield from self.ends(seen, start + 1, place + 1)


def _parse(phrase: str) -> _Phrase:
    places: list[frozenset[str]] = []
    for place in phrase.split():
        if place in (_GAP, _START, _END):
            places.append(frozenset({place}))
            continue
        variants = {variant for word in place.split("/") for variant in _spellings(word)}
        places.append(frozenset(variants))
    if not places or places[0] == {_GAP} or places[-1] == {_GAP}:
        raise ValueError(f"a phrase must begin and end with a word: {phrase!r}")
    return _Phrase(tuple(places))


def _spellings(word: str) -> set[str]:
    """As it is written with and without an umlaut: "früh*" → "fruh*", "frueh*"."""
    spellings = {fold(word), fold(word.casefold().translate(_UMLAUTS))}
    for spelling in spellings:
        letters = spelling.removesuffix("*")
        if not letters or not (letters.isalnum() or len(letters) == 1):
            raise ValueError(f"not a word: {word!r} (apostrophes and hyphens part words)")
    return spellings


def _without_one_letter(word: str) -> Iterator[str]:
    """The word and what is left of it when a letter after the first is missing."""
    yield word
    for at in range(1, len(word)):
        yield word[:at] + word[at + 1 :]


class PhraseBook(Generic[Key]):
    """Finds which keys' phrases occur in a message, typing errors in long words forgiven.

    :param phrases: the phrases of each key.
    :param is_right: whether a word that no phrase has is right as it stands, so no typing error.
    :raises ValueError: for a phrase that can't be read.
    """

    def __init__(
        self, phrases: Mapping[Key, Sequence[str]], is_right: Callable[[str], bool]
    ) -> None:
        self._is_right = is_right
        self._by_first: dict[str, list[tuple[Key, _Phrase]]] = defaultdict(list)
        self._words: set[str] = set()
        self._stems: set[str] = set()
        self._misspelt: dict[str, str] = {}
        for key, texts in phrases.items():
            for phrase in map(_parse, texts):
                self._add(key, phrase)
        self._stem_lengths = sorted({len(stem) for stem in self._stems})

    def _add(self, key: Key, phrase: _Phrase) -> None:
        for first in phrase.places[0]:
            self._by_first[first].append((key, phrase))
        # Sorted, so that a slip between two words is read the same way in every process.
        for word in sorted(frozenset().union(*phrase.places) - {_GAP, _START, _END}):
            if word.endswith("*"):
                self._stems.add(word.removesuffix("*"))
                continue
            self._words.add(word)
            if len(word) in _TYPO_LETTERS:
                self._misspelt |= dict.fromkeys(_without_one_letter(word), word)

    def find(self, words: Sequence[str]) -> list[Match[Key]]:
        """All matches, overlapping ones too, in the order of their beginning."""
        seen = [frozenset({_START}), *map(self._what_is, words)]
        if words and words[-1] in BREAKS:
            seen[-1] |= {_END}
        else:
            seen.append(frozenset({_END}))
        return [
            Match(key, max(start - 1, 0), min(end - 1, len(words)))
            for start, names in enumerate(seen)
            for name in names
            for key, phrase in self._by_first.get(name, ())
            for end in phrase.ends(seen, start)
        ]

    def _what_is(self, word: str) -> frozenset[str]:
        """The names that phrases may know a word by: itself, a stem of it, what was meant."""
        stems = (word[:n] for n in self._stem_lengths if n <= len(word))
        names = {f"{stem}*" for stem in stems if stem in self._stems}
        # One letter less may be the slip itself.
        may_be_slip = len(word) + 1 in _TYPO_LETTERS
        if word in self._words or names or not may_be_slip or self._is_right(word):
            return frozenset({word, *names})
        meant = next(filter(None, map(self._misspelt.get, _without_one_letter(word))), word)
        return frozenset({word, meant})

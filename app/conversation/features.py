"""What the brain sees of a message: pieces of its words, as places in a table.

What is denied ("not a cancellation, only …") has pieces of its own, so that it isn't taken for
wanted.

Letters without accents, runs of one letter cut to two; then pieces of two to five letters within
each word, the words, pairs of neighbours whole and by their beginnings, and pairs of beginnings
that stand near each other, whichever is first. A typing error spoils some pieces of a word and
leaves the others. A piece's place is its CRC-32: no vocabulary is kept.
"""

import re
import unicodedata
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

# 2^19 places: with a quarter of them, pieces share places so often that less is sure.
PLACES: Final = 1 << 19
_SHORTEST, _LONGEST = 2, 5
_STEM: Final = 4  # letters: "parcheggio" and "parcheggiare" begin alike
_NEAR: Final = 4  # words, signs not counted
# What is longer than WhatsApp's own limit says nothing more.
LONGEST_MESSAGE: Final = 4096

_REACH: Final = 6  # words
_DENIALS: Final = frozenset(
    {"no", "not", "non", "nie", "never", "nor", "ne", "ni", "t", "don", "dont", "didn", "didnt"}
    | {"isn", "isnt", "without", "niente", "nessun", "nessuna", "nemmeno", "neanche", "mai"}
    | {"senza", "nicht", "nichts", "kein", "keine", "keinen", "keinem", "keiner", "ohne", "pas"}
    | {"jamais", "rien", "aucun", "aucune", "sans", "nada", "nunca", "ningun", "ninguna", "sin"}
)
# Words after which what is meant begins.
_TURNS: Final = frozenset(
    {"but", "only", "just", "instead", "ma", "solo", "soltanto", "invece", "bensi", "sondern"}
    | {"nur", "aber", "bloss", "lediglich", "stattdessen", "mais", "seulement", "juste", "plutot"}
    | {"pero", "sino", "solamente"}
)
_RUN: Final = re.compile(r"(.)\1{2,}")
_WORD: Final = re.compile(r"[^\W_]+|[?!]|[^\w\s]")


def words(text: str) -> list[str]:
    """The words and signs of a message, folded."""
    folded = unicodedata.normalize("NFKD", text[:LONGEST_MESSAGE].casefold())
    plain = "".join(char for char in folded if not unicodedata.combining(char))
    return _WORD.findall(_RUN.sub(r"\1\1", plain))


def places(text: str) -> list[int]:
    """The places of a message's pieces, each once, in order."""
    found = {
        zlib.crc32(piece.encode("utf-8", "replace")) % PLACES for piece in _pieces(words(text))
    }
    return sorted(found)


def _pieces(said: list[str]) -> Iterator[str]:
    for word, is_denied in _with_denials(said):
        mark = "n" if is_denied else ""
        bounded = f"^{word}$"
        for length in range(_SHORTEST, _LONGEST + 1):
            for start in range(len(bounded) - length + 1):
                yield f"{mark}c{bounded[start : start + length]}"
        yield f"{mark}w{word}"
    for first, second in pairwise(said):
        yield f"b{first} {second}"
        yield f"s{first[:_STEM]} {second[:_STEM]}"
    for first, second in zip(said, said[2:], strict=False):
        yield f"k{first[:_STEM]} {second[:_STEM]}"
    stems = [word[:_STEM] for word in said if word.isalnum()]
    for at, stem in enumerate(stems):
        for near in stems[at + 1 : at + 1 + _NEAR]:
            yield f"u{min(stem, near)} {max(stem, near)}"


def _with_denials(said: list[str]) -> Iterator[tuple[str, bool]]:
    """Each word, and whether a denial before it in its clause reaches it."""
    reach = 0
    for word in said:
        if word in _TURNS or not word.isalnum():
            reach = 0
        yield word, reach > 0
        reach = _REACH if word in _DENIALS else max(0, reach - 1)

"""Text to plain words: what languages and sayings are compared in."""

import re
import unicodedata
from typing import Final

PAUSE: Final = "|"
QUESTION: Final = "?"
"""What stands at the end of a clause in a list of words; no word can look like it."""

# One run of non-spaces at a time: looking for "@" from every letter of a long run is quadratic.
_RUN: Final = re.compile(r"\S+")
# Three of a kind or more is shouting ("ciaoooo", "heeelp"); no word of the five languages needs it
# but a few German compounds ("Schifffahrt"), which lose nothing by it.
_STRETCHED: Final = re.compile(r"([^\W\d_])\1{2,}")
# A run of letters, of digits, a clause's end, or one symbol of its own (most emoji).
_TOKEN: Final = re.compile(r"[^\W\d_]+|\d+|[.,:;!?¿¡|\n…()]+|[^\w\s'`\u2019\u00b4\-]")
_CLAUSE_ENDS: Final = frozenset(".,:;!?¿¡|\n…()")
_MAX_CHARS: Final = 4096  # WhatsApp's own limit for a text


def without_addresses(text: str) -> str:
    """The text without web and mail addresses, which say nothing about language or wish.

    Half a surrogate pair, which JSON can bring in and lingua can't take, becomes a "?".
    """
    encodable = text[:_MAX_CHARS].encode("utf-8", "replace").decode("utf-8")
    return _RUN.sub(_unless_address, encodable)


def _unless_address(run: re.Match[str]) -> str:
    found = run[0]
    is_web = "://" in found or found[:4].casefold() == "www."
    return " " if is_web or ("@" in found and "." in found) else found


def fold(text: str) -> str:
    """Lower case, without accents, with stretched letters shortened ("Caffèèè" → "cafe")."""
    # Twice the length holds an accent on every letter; some single signs unfold into a sentence.
    decomposed = unicodedata.normalize("NFKD", text.casefold())[: 2 * _MAX_CHARS]
    bare = "".join(c for c in decomposed if not unicodedata.combining(c) and c != "\ufe0f")
    return _STRETCHED.sub(r"\1", bare)


def words(text: str) -> list[str]:
    """The folded words, numbers and emoji of a text, each clause closed by PAUSE or QUESTION.

    Apostrophes and hyphens part words ("c'è" → "c", "e"; "check-in" → "check", "in").
    """
    found: list[str] = []
    for token in _TOKEN.findall(fold(without_addresses(text))):
        if token[0] not in _CLAUSE_ENDS:
            found.append(token)
        elif found:
            _close_clause(found, QUESTION if "?" in token else PAUSE)
    return found


def _close_clause(found: list[str], end: str) -> None:
    if found[-1] == PAUSE:
        found[-1] = end
    elif found[-1] != QUESTION:
        found.append(end)

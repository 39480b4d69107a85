"""Does a translation keep what must be exactly right? Figures, codes, addresses, names.

What is checked is what the letters show. That the sentence around them says the same can't be
checked so; docs/agents.md tells the host.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from typing import Final

import lingua
from babel.dates import get_day_names, get_month_names

LANGUAGES: Final = {
    "it": lingua.Language.ITALIAN,
    "en": lingua.Language.ENGLISH,
    "de": lingua.Language.GERMAN,
    "fr": lingua.Language.FRENCH,
    "es": lingua.Language.SPANISH,
}
"""What is translated from and into: the languages that the desk writes."""

LONGEST: Final = 4096  # what WhatsApp takes
_MORE_CHARS: Final = 240
_SHORTEST_NAME: Final = 4  # "Lei", "Le", "I": capitals that name nobody
# Capitals of courtesy, in Italian and Spanish.
_POLITE: Final = frozenset(
    {"gentile", "loro", "signor", "signora", "signori", "suoi", "usted", "ustedes"}
    | {"vostra", "vostre", "vostri", "vostro"}
)
_DIGITS: Final = re.compile(r"\d+")
_SIGNS: Final = re.compile(r"[%€$£]")
_ADDRESS: Final = re.compile(
    r"[^\s<>()]*(?:://|@|www\.)[^\s<>()]*|\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}(?:/[^\s<>()]*)?"
)
_CODE: Final = re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]+")
# 2nd, 3rd, 1er: words for numbers, not codes. Their digits are checked all the same.
_ORDINAL: Final = re.compile(r"\d+(?:st|nd|rd|th|er|ers|e|ème|h|km|m|min)", re.IGNORECASE)
_SENTENCE: Final = re.compile(r"(?<=[.!?…:;])\s+|\n+")
_WORD: Final = re.compile(r"[^\W\d_]+")
_HALF_OF_DAY: Final = re.compile(r"\b(\d{1,2})(?:[:.](\d\d))?\s?([ap])\.?m\b\.?", re.IGNORECASE)
_FRENCH_TIME: Final = re.compile(r"\b(\d{1,2})\s?h(?:\s?(\d\d))?\b")
_HOURS_TO_NOON: Final = 12
_AFTER: Final = ".,;:!?"  # what may follow an address, and isn't of it
# Nobody writes of so many: no phone begins so either.
_FIRST_MASK: Final = 700700700700


class Objection(StrEnum):
    """What is wrong with a translation."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    FIGURES = "figures"
    ADDRESSES = "addresses"
    CODES = "codes"
    NAMES = "names"
    LANGUAGE = "language"


def with_24_hours(text: str, language: str) -> str:
    """Times as all five languages read them: "3 pm" and "15 h" are 15:00.

    So a translation can keep their digits.
    """
    if language == "en":
        return _HALF_OF_DAY.sub(_from_half_of_day, text)
    if language == "fr":
        return _FRENCH_TIME.sub(lambda found: f"{found[1]}:{found[2] or '00'}", text)
    return text


def masked(text: str) -> tuple[str, dict[str, str]]:
    """The text with a number in the place of each address and code, and what each stands for.

    For a translator that would take them apart; a number passes through whole.
    """
    kept: dict[str, str] = {}

    def put_away(found: re.Match[str]) -> str:
        inside = found[0].rstrip(_AFTER)
        if _ORDINAL.fullmatch(inside):
            return found[0]
        number = str(_FIRST_MASK + len(kept))
        kept[number] = inside
        return number + found[0][len(inside) :]

    return _CODE.sub(put_away, _ADDRESS.sub(put_away, text)), kept


def unmasked(text: str, kept: dict[str, str]) -> str:
    """The text with what was put away."""
    # The last one first: the number of an address may have become part of a code.
    for number, inside in reversed(kept.items()):
        text = text.replace(number, inside)
    return text


def objection(translated: str, text: str, source: str, target: str) -> Objection | None:
    """Why ``translated`` may not be sent for ``text``; None if it may. Languages by ISO 639-1."""
    if not translated.strip():
        return Objection.EMPTY
    if len(translated) > min(2 * len(text) + _MORE_CHARS, LONGEST):
        return Objection.TOO_LONG
    ours, theirs = _plain(text), _plain(translated)
    for objection_, kept in (
        (Objection.ADDRESSES, _addresses),
        (Objection.CODES, _codes),
        (Objection.FIGURES, _figures),
    ):
        if Counter(kept(ours)) != Counter(kept(theirs)):
            return objection_
    if _strange_names(ours, source, theirs) or _strange_names(theirs, target, ours):
        return Objection.NAMES
    return None if _is_in(translated, source, target) else Objection.LANGUAGE


def _from_half_of_day(found: re.Match[str]) -> str:
    hour = int(found[1]) % _HOURS_TO_NOON + (_HOURS_TO_NOON if found[3] in "pP" else 0)
    return f"{hour}:{found[2] or '00'}"


def _plain(text: str) -> str:
    """Look-alikes made alike (NFKC), without signs that don't show."""
    normal = unicodedata.normalize("NFKC", text)
    return "".join(sign for sign in normal if unicodedata.category(sign) != "Cf")


def _addresses(text: str) -> Iterable[str]:
    return (found.rstrip(_AFTER) for found in _ADDRESS.findall(text))


def _codes(text: str) -> Iterable[str]:
    return (code for code in _CODE.findall(text) if not _ORDINAL.fullmatch(code))


def _figures(text: str) -> Iterable[str]:
    return (*_DIGITS.findall(text), *_SIGNS.findall(text))


def _strange_names(text: str, language: str, other: str) -> set[str]:
    """Words with a capital within a sentence of ``text`` that ``other`` hasn't at all.

    In German every noun has a capital: then this can't be told.
    """
    if language == "de":
        return set()
    found: set[str] = set()
    for sentence in _SENTENCE.split(text):
        _first, *rest = _WORD.findall(sentence) or [""]
        found.update(
            word.casefold()
            for word in rest
            if word[0].isupper() and not word.isupper() and len(word) >= _SHORTEST_NAME
        )
    there = {word.casefold() for word in _WORD.findall(other)}
    return found - there - _POLITE - _days(language)


@cache
def _days(language: str) -> frozenset[str]:
    names = (
        *get_day_names("wide", locale=language).values(),
        *get_month_names("wide", locale=language).values(),
    )
    return frozenset(str(name).casefold() for name in names)


def _is_in(translated: str, source: str, target: str) -> bool:
    """Whether it is more in the one language than still in the other."""
    confidence = _detector().compute_language_confidence
    return confidence(translated, LANGUAGES[target]) > confidence(translated, LANGUAGES[source])


@cache
def _detector() -> lingua.LanguageDetector:
    # Low accuracy: 15 MB instead of 170, and only two languages are told apart.
    builder = lingua.LanguageDetectorBuilder.from_languages(*LANGUAGES.values())
    return builder.with_low_accuracy_mode().build()

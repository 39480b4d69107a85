"""What in a text must be exactly right: numbers, times, prices, days, codes, addresses, phones.

Such a *figure* is read word by word, without knowing what it is about: two texts with the same
figures in the same order tell the same times and prices. The words that say figures are data, in
`figure_words.yml`; the names of days and months are those of CLDR, by babel.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Final

import yaml
from babel.dates import get_day_names, get_month_names

from app.conversation.language import Language
from app.conversation.words import fold

FREE: Final = "free"
_CURRENCY_SIGNS: Final = {"€": "EUR", "$": "USD", "£": "GBP"}
# Around a word; "+", "#", "-", "@", "/" and "%" belong to figures.
_AROUND: Final = ".,;:!?¿¡()[]{}<>\"'`*_~«»“”„\u2018\u2019\u201a…|•"
_NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")
_FRENCH_TIME: Final = re.compile(r"(\d{1,2})h(\d\d)?", re.IGNORECASE)
_HALF_OF_DAY: Final = re.compile(r"(.*\d)?([ap])\.?m", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"@|://|[^\W\d_]\.[^\W\d_]{2,}|[^\W\d_]/[^\W\d_]")
# Written with a space before it, or a dash between two figures.
_DASHES: Final = re.compile(r"[–—−]")  # noqa: RUF001 - en dash, em dash, minus
_SHORTEST_NAME_OF_DAY: Final = 4  # "may" and "mai" are verbs and more
_SHORTEST_CODE: Final = 3  # of capital letters alone


def figures(text: str, language: Language) -> tuple[str, ...]:
    """The figures of a text, in order, each in one spelling: "€25.00" and "25 €" are the same."""
    return tuple(_each(plain(text).split(), language))


def plain(text: str) -> str:
    """The text with look-alikes made alike (NFKC), and without signs that don't show."""
    normal = unicodedata.normalize("NFKC", text)
    shown = "".join(sign for sign in normal if unicodedata.category(sign) != "Cf")
    return _DASHES.sub(" ", shown)


def _each(chunks: list[str], language: Language) -> Iterator[str]:
    after_number = False
    for chunk in chunks:
        bare = chunk.strip(_AROUND)
        found = list(_of(bare, language, after_number=after_number))
        after_number = any(sign.isdigit() for sign in bare)
        yield from found


def _of(bare: str, language: Language, *, after_number: bool) -> Iterator[str]:
    if (half := _HALF_OF_DAY.fullmatch(bare)) and (after_number or half[1]):
        yield from _number(half[1] or "")
        yield f"{half[2].lower()}m"
    elif any(sign.isdigit() for sign in bare):
        yield from _number(bare)
    elif _ADDRESS.search(bare):
        yield bare
    elif bare.isupper() and len(bare) >= _SHORTEST_CODE:
        yield _CURRENCY_SIGNS.get(bare, bare)
    else:
        yield from _words(bare, language)


def _number(bare: str) -> Iterator[str]:
    """A chunk with digits; the currency, whichever side it stands on, comes after the number."""
    signs = [sign for sign in bare if unicodedata.category(sign) == "Sc" or sign == "%"]
    rest = "".join(sign for sign in bare if sign not in signs).strip(_AROUND)
    if time := _FRENCH_TIME.fullmatch(rest):
        yield from (part for part in time.groups() if part)
    elif _NUMBER.fullmatch(rest):
        # 25.00 is 25, and 10:00 is 10; but 1.000 is a thousand to most of our readers.
        yield re.sub(r"[.,:]00$", "", rest)
    elif rest:
        yield rest
    yield from (_CURRENCY_SIGNS.get(sign, sign) for sign in signs)


def _words(bare: str, language: Language) -> Iterator[str]:
    yield from (
        _CURRENCY_SIGNS.get(sign, sign)
        for sign in bare
        if unicodedata.category(sign) == "Sc" or sign == "%"
    )
    for word in re.findall(r"[^\W\d_]+", fold(bare)):
        if currency := next((c for c, p in _currencies().items() if p.fullmatch(word)), None):
            yield currency
        elif _saying(FREE, language).fullmatch(word):
            yield FREE
        elif _saying("figures", language).fullmatch(word) or word in _days(language):
            yield word


@cache
def _file() -> dict[str, dict[str, list[str]]]:
    source = resources.files(__package__).joinpath("figure_words.yml").read_text("utf-8")
    found: dict[str, dict[str, list[str]]] = yaml.safe_load(source)
    return found


@cache
def _saying(section: str, language: Language) -> re.Pattern[str]:
    return re.compile("|".join(_file()[section][language]))


@cache
def _currencies() -> dict[str, re.Pattern[str]]:
    return {code: re.compile("|".join(words)) for code, words in _file()["currencies"].items()}


@cache
def _days(language: Language) -> frozenset[str]:
    names = (
        *get_day_names("wide", locale=str(language)).values(),
        *get_month_names("wide", locale=str(language)).values(),
    )
    folded = (fold(str(name)) for name in names)
    return frozenset(name for name in folded if len(name) >= _SHORTEST_NAME_OF_DAY)

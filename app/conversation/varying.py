"""Says an example otherwise, as guests do: hastily, politely, mixed with another language, denying.

Only learning uses it (`app.conversation.training`). The words are in `varying.yml`. What is drawn
by chance is drawn from the text itself: the same example is varied alike each time.
"""

import random
import re
import unicodedata
import zlib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any, Final

import yaml

from app.conversation.intent import Intent

FILE: Final = resources.files(__package__).joinpath("varying.yml")

LANGUAGES: Final = ("it", "en", "de", "fr", "es")
# "Hello" before nothing that is asked for is a greeting, and thanks are thanks.
_UNFRAMED: Final = frozenset({Intent.GREETING, Intent.THANKS, Intent.OTHER})
_WISHES: Final = frozenset(Intent) - _UNFRAMED - {Intent.OPT_OUT, Intent.OPT_IN}
# What a denial of the one would deny of the other: "no repair, but the shower is broken".
_ENTANGLED: Final = frozenset(
    {
        (Intent.COMPLAINT, Intent.EMERGENCY),
        (Intent.COMPLAINT, Intent.AMENITIES),
        (Intent.EMERGENCY, Intent.HUMAN),
    }
)
_FEWEST_TO_SPOIL: Final = 9  # characters: of less nothing is left
_FEWEST_TO_MISTYPE: Final = 4  # letters of a word

# How often, chosen on files of examples that were left out of learning.
_MISTYPED: Final = 0.25
_SHORTENED: Final = 0.4
_TRANSLATED: Final = 0.6
_DENIED: Final = 0.3
_TOLD: Final = 0.1
_COURTEOUS: Final = 0.25
_ROWS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_TOKEN: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\S|\s+")


def variants(text: str, intent: Intent, language: str | None) -> list[str]:
    """At most two other ways to say ``text``, that still ask for ``intent``.

    ``language`` is one of the five, or None where several are mixed.
    """
    chance = _chance(text)
    spoken = language or chance.choice(LANGUAGES)
    hasty = [_hasty(text, chance, _MISTYPED)] if len(text) >= _FEWEST_TO_SPOIL else []
    mixed = _mixed(text, chance) if chance.random() < _TRANSLATED else text
    framed = _framed(mixed, intent, spoken, chance)
    if chance.random() < 0.3:
        framed = _hasty(framed, chance, _MISTYPED / 2)
    return [one for one in dict.fromkeys([*hasty, framed]) if one and one != text]


@cache
def words() -> dict[str, Any]:
    """What `varying.yml` holds, by kind."""
    # CSafeLoader is safe_load's own loader in C.
    held: dict[str, Any] = yaml.load(FILE.read_bytes(), Loader=yaml.CSafeLoader)
    return held


def _framed(text: str, intent: Intent, language: str, chance: random.Random) -> str:
    """Something denied or told beside it, or a courtesy around it; or nothing."""
    if intent in _UNFRAMED:
        return text
    kind = chance.random()
    if intent in _WISHES and kind < _DENIED:
        return _denying(text, intent, language, chance)
    if intent in _WISHES and kind < _DENIED + _TOLD:
        aside: str = chance.choice(words()["asides"][language])
        return f"{aside} {text}" if chance.random() < 0.7 else f"{text.rstrip('.')}. {aside}"
    if kind > _DENIED + _TOLD + _COURTEOUS:
        return text
    before: str = chance.choice(words()["before"][language]) if chance.random() < 0.6 else ""
    after: str = chance.choice(words()["after"][language]) if not before else ""
    return f"{before} {_lowered(text) if before else text} {after}".strip()


def _denying(text: str, intent: Intent, language: str, chance: random.Random) -> str:
    denied: dict[str, dict[str, list[str]]] = words()["denied"]
    others = [one for one in denied if one != intent and (intent, one) not in _ENTANGLED]
    # The costliest to get wrong: what says "ambulance" and asks for none.
    danger = Intent.EMERGENCY in others and chance.random() < 0.3
    what = chance.choice(denied[Intent.EMERGENCY if danger else chance.choice(others)][language])
    frame: str = chance.choice(words()["denials"][language])
    return f"{frame.format(what)} {_lowered(text)}"


def _mixed(text: str, chance: random.Random) -> str:
    """Some of its words in another language."""
    means = _means()

    def translated(found: re.Match[str]) -> str:
        if chance.random() > _TRANSLATED:
            return found[0]
        alike: list[str] = chance.choice(chance.choice(means[found[0].lower()]))
        return chance.choice(alike)

    return _known().sub(translated, text)


def _hasty(text: str, chance: random.Random, mistyped: float) -> str:
    """Without capitals and accents, shortened and mistyped."""
    short = _short()
    tokens = [
        chance.choice(short[token])
        if token in short and chance.random() < _SHORTENED
        else _mistyped(token, chance)
        if len(token) >= _FEWEST_TO_MISTYPE and token.isalpha() and chance.random() < mistyped
        else token
        for token in _TOKEN.findall(text.lower())
    ]
    typed = "".join(tokens)
    if chance.random() < 0.5:
        typed = re.sub(r"[.,!?;:¿¡]", " ", typed)
    typed = re.sub("['\u2019]", chance.choice(["'", " ", ""]), typed)
    folded = unicodedata.normalize("NFKD", typed)
    return " ".join("".join(one for one in folded if not unicodedata.combining(one)).split())


def _mistyped(word: str, chance: random.Random) -> str:
    """A letter left out, two swapped, one doubled, or the key beside it; never the first."""
    at = chance.randrange(1, len(word) - 1)
    start, letter, rest = word[:at], word[at], word[at + 1 :]
    wrong = [start + rest, start + rest[0] + letter + rest[1:], start + letter * 2 + rest]
    wrong += [start + key + rest for key in _beside(letter)]
    return chance.choice(wrong)


def _beside(letter: str) -> Iterator[str]:
    for row in _ROWS:
        at = row.find(letter)
        if at >= 0:
            yield from row[max(0, at - 1) : at] + row[at + 1 : at + 2]


def _lowered(text: str) -> str:
    """Its first letter small, unless it shouts."""
    return text if text[:2].isalpha() and text[:2].isupper() else text[:1].lower() + text[1:]


def _chance(text: str) -> random.Random:
    return random.Random(zlib.crc32(text.encode("utf-8", "replace")))  # noqa: S311 - no secret


@cache
def _short() -> dict[str, list[str]]:
    """Each word's shortened forms, of all languages."""
    short: dict[str, list[str]] = {}
    for of_language in words()["shortened"].values():
        for word, form in of_language.items():
            short.setdefault(word, []).append(form)
    return short


@cache
def _means() -> dict[str, list[list[list[str]]]]:
    """Each word's meanings; of a meaning, its words in each language."""
    means: dict[str, list[list[list[str]]]] = {}
    for line in words()["meanings"]:
        meaning = [alike.split(",") for alike in line.split("|")]
        for word in dict.fromkeys(word for alike in meaning for word in alike):
            means.setdefault(word, []).append(meaning)
    return means


@cache
def _known() -> re.Pattern[str]:
    longest_first = sorted(map(re.escape, _means()), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(longest_first)})(?!\w)", re.IGNORECASE)

"""What a guest wants, by phrases kept as data in `patterns/`, one file a language.

All languages are looked for in every message: guests mix them, and a wrong guess of the language
must not cost the answer.
"""

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from app.conversation import words
from app.conversation.language import is_common_word
from app.conversation.patterns import Match, PhraseBook


class Intent(StrEnum):
    """What a message may ask for, in the order in which a reply deals with it."""

    EMERGENCY = "emergency"
    ARRIVAL = "arrival"
    WIFI = "wifi"
    PARKING = "parking"
    BREAKFAST = "breakfast"
    HOUSE_RULES = "house_rules"
    DEPARTURE = "departure"
    HUMAN = "human"
    OTHER = "other"
    THANKS = "thanks"
    GREETING = "greeting"


_COURTESIES: Final = {Intent.GREETING, Intent.THANKS}
# A courtesy with this many words that no phrase accounts for carries a message of its own:
# "Hello, we lost our key". Thanks run on longer ("thanks, you were all so kind to us").
_MESSAGE_BESIDE: Final = {Intent.GREETING: 3, Intent.THANKS: 5}
_NOTHING_ASKED: Final = 3  # letters: shorter words are articles, typing errors, laughter


class _Phrases(BaseModel):
    """One intent in one patterns file: what says it, and what looks so but doesn't."""

    model_config = ConfigDict(extra="forbid")

    say: list[str] = []
    unless: list[str] = []


_FILE: Final = TypeAdapter(dict[Intent, _Phrases])
_Said = tuple[Intent, bool]  # False: by a phrase under "unless"


@cache
def _book() -> PhraseBook[_Said]:
    phrases: dict[_Said, list[str]] = {}
    for path in sorted(resources.files(__package__).joinpath("patterns").iterdir(), key=str):
        for intent, found in _FILE.validate_python(yaml.safe_load(path.read_text("utf-8"))).items():
            phrases.setdefault((intent, True), []).extend(found.say)
            phrases.setdefault((intent, False), []).extend(found.unless)
    return PhraseBook(phrases, is_right=is_common_word)


def warm_up() -> None:
    """Read the patterns now.

    :raises ValueError: for a phrase that can't be read.
    """
    _book()


def recognise(text: str) -> tuple[Intent, ...]:
    """What a message says, in the order of Intent, courtesies too; OTHER for what isn't known.

    :returns: never empty; OTHER stands beside another intent if a part of the message is not
        accounted for, so that nothing a guest asks is silently dropped.
    """
    said = words.words(text)
    everything = _book().find(said)
    matches = _undisputed(everything)
    found = {match.key[0] for match in matches}
    if Intent.EMERGENCY in found:
        found.discard(Intent.OTHER)  # a person comes for all of it
    elif not found or _asks_more(said, matches) or _says_more(said, everything, found):
        found.add(Intent.OTHER)
    return tuple(intent for intent in Intent if intent in found)


def _undisputed(matches: list[Match[_Said]]) -> list[Match[_Said]]:
    """The matches that no "unless" of the same intent lies across."""
    denied: defaultdict[Intent, set[int]] = defaultdict(set)
    for match in matches:
        if not match.key[1]:
            denied[match.key[0]].update(match.places())
    return [
        match
        for match in matches
        if match.key[1] and denied[match.key[0]].isdisjoint(match.places())
    ]


def _asks_more(said: list[str], matches: list[Match[_Said]]) -> bool:
    """Whether a question stands in a clause that no phrase but a courtesy touches."""
    courtesies = _places(match for match in matches if match.key[0] in _COURTESIES)
    answered = _places(match for match in matches if match.key[0] not in _COURTESIES)
    start = 0
    for end, word in enumerate(said):
        if word not in words.BREAKS:
            continue
        clause = range(start, end)
        start = end + 1
        if word != words.QUESTION or not answered.isdisjoint(clause):
            continue
        if any(_has_substance(said[at]) for at in clause if at not in courtesies):
            return True
    return False


def _has_substance(word: str) -> bool:
    return len(word) >= _NOTHING_ASKED and word.isalpha() and not is_common_word(word)


def _says_more(said: list[str], matches: list[Match[_Said]], found: set[Intent]) -> bool:
    """Whether a message of mere courtesies has more words than courtesies need."""
    if not found <= _COURTESIES:
        return False
    accounted_for = _places(matches)
    left = [at for at, word in enumerate(said) if word.isalpha() and at not in accounted_for]
    return len(left) >= max(_MESSAGE_BESIDE[intent] for intent in found)


def _places(matches: Iterable[Match[_Said]]) -> set[int]:
    return {at for match in matches for at in match.places()}

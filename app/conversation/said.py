"""What a message says in so many words, by phrases kept as data in `said.yml`.

For the few things that must be sure and not merely likely: whether an offer is taken, whether a
guest has left, what a bare "and how much?" goes on from. All languages are looked for at once.
"""

import re
from enum import StrEnum
from functools import cache
from importlib import resources
from itertools import chain
from typing import Final

import yaml

from app.conversation import words

# Longer than the longest yes, no or follow-up that is nothing but that, and a bound on the search.
_SHORT: Final = 9  # words
_THUMBS: Final = frozenset("👍👎👌✅❌")  # the signs that say something; all others are decoration
_GAP: Final = "…"


class Saying(StrEnum):
    """A section of the file; its heading there says where in a message it counts."""

    YES = "yes"
    NO = "no"
    POLITE = "polite"
    POLITE_NO = "polite_no"
    WHEN = "when"
    PRICE = "price"
    WHERE = "where"
    AND = "and"
    FAREWELL = "farewell"
    LEFT = "left"
    PRAISE = "praise"
    TRANSFER = "transfer"
    EXTRA_GUEST = "extra_guest"
    BESIDES = "besides"
    LEFT_BEHIND = "left_behind"
    DENIAL = "denial"


class Aspect(StrEnum):
    """What a follow-up asks of the thing just spoken of."""

    WHEN = "when"
    PRICE = "price"
    WHERE = "where"


@cache
def _sections() -> dict[Saying, str]:
    """Each section as alternatives of a regular expression, every word followed by a space."""
    source = resources.files(__package__).joinpath("said.yml").read_text("utf-8")
    sections: dict[str, dict[str, list[str]]] = yaml.load(source, Loader=yaml.CBaseLoader)  # noqa: S506 - builds texts only: "no" isn't False
    return {
        Saying(name): "|".join(_alternative(phrase) for phrase in chain(*by_language.values()))
        for name, by_language in sections.items()
    }


def _alternative(phrase: str) -> str:
    parts = (re.escape(_plain(part)) for part in phrase.split(_GAP))
    return r"(?:\w+ ){0,3}".join(parts)


def _plain(text: str) -> str:
    """The folded words of a text, each followed by one space."""
    return "".join(f"{word} " for word in words.words(text) if word.isalnum() or word in _THUMBS)


@cache
def _somewhere(saying: Saying) -> re.Pattern[str]:
    return re.compile(rf"(?:^|(?<= ))(?:{_sections()[saying]})")


@cache
def _nothing_but(core: Saying, around: tuple[Saying, ...]) -> re.Pattern[str]:
    """One of ``core`` at least, and else only what may stand around it."""
    sections = _sections()
    needed, allowed = sections[core], "|".join(sections[saying] for saying in (core, *around))
    return re.compile(rf"(?:{allowed})*?(?:{needed})(?:{allowed})*")


def warm_up() -> None:
    """Read the phrases now.

    :raises ValueError: for a section that isn't known.
    """
    for saying in Saying:
        _somewhere(saying)


def says(saying: Saying, text: str) -> bool:
    """Whether a phrase of the section stands somewhere in the text."""
    return _somewhere(saying).search(_plain(text)) is not None


def count(saying: Saying, text: str) -> int:
    """How often a phrase of the section stands in the text."""
    return len(_somewhere(saying).findall(_plain(text)))


def affirms(saying: Saying, text: str) -> bool:
    """Whether the text says it and denies nothing."""
    return says(saying, text) and not says(Saying.DENIAL, text)


def is_question(text: str) -> bool:
    """Whether a question mark stands in the text."""
    return words.QUESTION in words.words(text)


def yes_or_no(text: str) -> bool | None:
    """Whether the whole text is a yes (True) or a no (False); None for anything more or else."""
    if is_question(text):
        return None
    said = _plain(text)
    if _is(said, Saying.YES, Saying.POLITE):
        return True
    return False if _is(said, Saying.NO, Saying.POLITE, Saying.POLITE_NO) else None


def follow_up(text: str) -> Aspect | None:
    """What the text asks, if it is nothing but a short question that names no subject."""
    said = _plain(text)
    for aspect in Aspect:
        if _is(said, Saying(aspect.value), Saying.AND):
            return aspect
    return None


def _is(said: str, core: Saying, *around: Saying) -> bool:
    if said.count(" ") > _SHORT:
        return False
    return _nothing_but(core, around).fullmatch(said) is not None

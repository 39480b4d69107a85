"""What the concierge says, in five languages: `phrases/{it,en,de,fr,es}.yml`.

All five files have the same phrases with the same placeholders. That is checked when they are
loaded, so that a slip in one of them stops the start and never reaches a guest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from string import Formatter
from typing import Final

import yaml

from app.conversation.language import Language

PLACEHOLDERS: Final[Mapping[str, frozenset[str]]] = {
    "hello": frozenset(),
    "greeting": frozenset({"name"}),
    "thanks": frozenset(),
    "arrival": frozenset({"start"}),
    "arrival_until": frozenset({"start", "end"}),
    "departure": frozenset({"end"}),
    "wifi": frozenset({"network", "password"}),
    "wifi_network": frozenset({"network"}),
    "parking": frozenset({"text"}),
    "breakfast": frozenset({"start", "end"}),
    "breakfast_details": frozenset({"text"}),
    "house_rules": frozenset({"text"}),
    "emergency": frozenset({"number"}),
    "emergency_address": frozenset({"address"}),
    "emergency_desk": frozenset({"phone"}),
    "emergency_person": frozenset(),
    "human": frozenset(),
    "human_phone": frozenset({"phone"}),
    "unknown": frozenset({"topics"}),
    "other": frozenset(),
    "rest": frozenset(),
    "as_written": frozenset({"language", "text"}),
    **{
        f"topic_{topic}": frozenset()
        for topic in ("arrival", "departure", "wifi", "parking", "breakfast", "house_rules")
    },
    **{f"language_{language}": frozenset() for language in Language},
}
"""Every phrase the concierge uses → what is filled into it."""


class PhrasesError(Exception):
    """A phrases file isn't complete; the message says which one and what to do."""


@dataclass(frozen=True)
class Phrases:
    """The phrases of one language."""

    language: Language
    texts: Mapping[str, str]

    def say(self, phrase: str, **values: str) -> str:
        """A phrase with its placeholders filled; the values themselves are taken as they are."""
        return self.texts[phrase].format_map(values)


def load(folder: Traversable) -> Mapping[Language, Phrases]:
    """Read and check the five files of a folder.

    :raises PhrasesError: with a line for each phrase missing, unknown, empty, or with other
        placeholders than PLACEHOLDERS has.
    """
    read = {language: _read(folder.joinpath(f"{language}.yml")) for language in Language}
    mistakes = [
        f"{language}.yml: {mistake}"
        for language, texts in read.items()
        for mistake in _mistakes(texts)
    ]
    if mistakes:
        raise PhrasesError("the phrases can't be used:\n" + "\n".join(mistakes))
    return {language: Phrases(language, texts) for language, texts in read.items()}


@cache
def bundled() -> Mapping[Language, Phrases]:
    """The phrases that come with Portiere.

    :raises PhrasesError: see load.
    """
    return load(resources.files(__package__).joinpath("phrases"))


def _read(path: Traversable) -> dict[str, str]:
    try:
        texts = yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 - builds texts only
    except (OSError, yaml.YAMLError) as error:
        raise PhrasesError(f"{path.name} can't be read: {error}") from None
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise PhrasesError(f"{path.name}: write one text for each phrase")
    return texts


def _mistakes(texts: Mapping[str, str]) -> list[str]:
    missing = [f"add {phrase}" for phrase in PLACEHOLDERS if phrase not in texts]
    unknown = [
        f"remove {phrase}, nothing says it" for phrase in texts if phrase not in PLACEHOLDERS
    ]
    wrong = [
        f"{phrase}: {mistake}"
        for phrase, wanted in PLACEHOLDERS.items()
        if phrase in texts and (mistake := _mistake(texts[phrase], wanted))
    ]
    return [*missing, *unknown, *wrong]


def _mistake(text: str, wanted: frozenset[str]) -> str | None:
    if not text.strip():
        return "write a text"
    try:
        # A conversion or a format ("{start!r}", "{start:>5}") is as wrong as another name.
        fields = {
            f"{name}{'!' if conversion else ''}{':' if form else ''}"
            for _, name, form, conversion in Formatter().parse(text)
            if name is not None
        }
    except ValueError as error:
        return str(error)
    if fields == wanted:
        return None
    return f"must have exactly these placeholders: {', '.join(sorted(wanted)) or 'none'}"

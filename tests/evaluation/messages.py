"""The messages the brain is measured on: `dev` and `test`, a file a language in each.

A file maps each intent to its messages, ``plain`` and ``hard`` ones: hard are those with typing
errors, mixed languages, denials, asides.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml

from app.conversation.intent import Intent
from app.conversation.language import Language


class Split(StrEnum):
    """On `dev` the brain's numbers are chosen; `test` is only measured, never looked at."""

    DEV = "dev"
    TEST = "test"


@dataclass(frozen=True)
class Message:
    """What a guest wrote, and what a person says that it asks for."""

    text: str
    intent: Intent
    language: Language
    hard: bool


def read(split: Split) -> list[Message]:
    """All messages of a split, language by language."""
    return [message for language in Language for message in _of(split, language)]


def _of(split: Split, language: Language) -> list[Message]:
    path = Path(__file__).parent / split / f"{language}.yml"
    intents: dict[str, dict[str, list[str]]] = yaml.safe_load(path.read_text("utf-8"))
    return [
        Message(text, Intent(intent), language, hard=kind == "hard")
        for intent, kinds in intents.items()
        for kind, texts in kinds.items()
        for text in texts
    ]

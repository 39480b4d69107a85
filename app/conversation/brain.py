"""The brain: from a message to what it asks for. Offline, deterministic, in five languages.

It adds up learnt weights (`app.conversation.training`) and would rather say ``other``, so that a
person answers, than guess.
"""

import math
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.conversation import features
from app.conversation.features import LONGEST_MESSAGE
from app.conversation.intent import Intent
from app.conversation.understanding import Guess, Understanding

FILE: Final = resources.files(__package__).joinpath("brain.npz")

# Chosen on tests/evaluation/dev: docs/brain.md.
_SHARPNESS: Final = 3.0  # from distances to the learnt borders to shares of certainty
_SURE: Final = 0.4  # below it is a guess, and a person answers
_SURER_THAN_OTHER: Final = 2.0  # times: a wrong answer costs more than a person's time
_DANGER: Final = 0.12  # a missed emergency costs more than a false one
_SURE_BESIDE: Final = 0.7  # of a second wish in another sentence
_MOST_GUESSES: Final = 3
_COURTESIES: Final = frozenset({Intent.GREETING, Intent.THANKS})
_SENTENCE: Final = re.compile(r"(?<=[.!?;\n])\s+")
_FEWEST_WORDS: Final = 2  # of a sentence that can ask for something beside the rest


@dataclass(frozen=True)
class Weights:
    """What was learnt: a column of weights an intent, and how telling each place is.

    ``weights`` are whole numbers, to be multiplied by their column's ``scale``.
    """

    intents: tuple[Intent, ...]
    weights: NDArray[np.int8]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]
    rarity: NDArray[np.float16]
    digest: str

    def save(self, path: Path) -> None:
        """Write the file."""
        np.savez_compressed(
            path,
            intents=np.array([str(intent) for intent in self.intents]),
            weights=self.weights,
            scale=self.scale,
            bias=self.bias,
            rarity=self.rarity,
            digest=np.array(self.digest),
        )


@cache
def learnt() -> Weights:
    """The trained file. Raises OSError if it isn't there: ``make brain``."""
    with FILE.open("rb") as file, np.load(file) as read:
        return Weights(
            intents=tuple(Intent(name) for name in read["intents"].tolist()),
            weights=read["weights"],
            scale=read["scale"],
            bias=read["bias"],
            rarity=read["rarity"],
            digest=str(read["digest"]),
        )


def warm_up() -> None:
    """Load the file now."""
    learnt()


def understand(text: str) -> Understanding:
    """What ``text`` asks for: the main guess first, OTHER when unsure."""
    text = text[:LONGEST_MESSAGE]
    whole = shares(text)
    sentences = [one for one in _SENTENCE.split(text) if len(features.words(one)) > _FEWEST_WORDS]
    parts = [shares(one) for one in sentences] if len(sentences) > 1 else []
    danger = max(one[Intent.EMERGENCY] for one in (whole, *parts))
    if danger >= _DANGER:
        return Understanding((Guess(Intent.EMERGENCY, danger),))
    beside = [_main(part) for part in parts]
    wishes = [_main(whole), *(one for one in beside if one.score >= _SURE_BESIDE)]
    return Understanding(tuple(_distinct(wishes))[:_MOST_GUESSES])


def shares(text: str) -> dict[Intent, float]:
    """How likely each intent is; they add up to 1. Nothing readable is OTHER."""
    known = learnt()
    places = places_of(text)
    values = values_of(places, known.rarity)
    if not len(places):
        return {intent: float(intent is Intent.OTHER) for intent in known.intents}
    distances = values @ known.weights[places].astype(np.float32) * known.scale + known.bias
    likely = np.exp(_SHARPNESS * (distances - distances.max()))
    likely /= likely.sum()
    return dict(zip(known.intents, likely.tolist(), strict=True))


def places_of(text: str) -> NDArray[np.int32]:
    """The places of a message's pieces."""
    return np.array(features.places(text), dtype=np.int32)


def values_of(
    places: NDArray[np.int32], rarity: NDArray[np.float32] | NDArray[np.float16]
) -> NDArray[np.float32]:
    """The values at a message's places; all together of length 1."""
    values = rarity[places].astype(np.float32)
    length = math.sqrt(float(values @ values)) or 1.0
    return values / np.float32(length)


def _main(likely: dict[Intent, float]) -> Guess:
    intent = max(likely, key=lambda one: likely[one])
    if likely[intent] < max(_SURE, _SURER_THAN_OTHER * likely[Intent.OTHER]):
        return Guess(Intent.OTHER, likely[Intent.OTHER])
    return Guess(intent, likely[intent])


def _distinct(wishes: list[Guess]) -> list[Guess]:
    """Each intent once; a courtesy, or nothing understood, beside a wish isn't a second one."""
    found: dict[Intent, Guess] = {}
    for one in wishes:
        is_wish = one.intent not in _COURTESIES and one.intent is not Intent.OTHER
        if one.intent not in found and (is_wish or not found):
            found[one.intent] = one
    return list(found.values())

"""Teaches the brain: ``make brain`` writes `brain.npz` from the examples.

Two linear support vector machines over the features, by scikit-learn, added up; the same examples
make the same file. Only this needs scikit-learn: `app.conversation.brain` adds up the numbers that
they found.
"""

import hashlib
from collections import Counter
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from scipy.sparse import csr_matrix
from sklearn.svm import LinearSVC

from app.conversation import features
from app.conversation.brain import FILE, Weights, vector_of
from app.conversation.intent import Intent

# Chosen on files of examples that were left out of learning: with 0.3 five more of 100 are wrong.
_COST: Final = 1.0
# How much the machine of all intents together counts; its distances are smaller than the other's.
_TOGETHER: Final = 2.0
_PRECISION: Final = 1e-3  # ten times as coarse as is usual: as good, in much less time
_SEED: Final = 1


def examples() -> list[tuple[str, Intent]]:
    """Every example and its intent, of all languages."""
    found: list[tuple[str, Intent]] = []
    # CSafeLoader is safe_load's own loader in C: 80,000 lines take 2 s, and 12 s without.
    for path in _files():
        for intent, texts in yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader).items():
            found += [(text, Intent(intent)) for text in texts]
    return found


def digest() -> str:
    """Of all that the trained file is made from; it is written into the file."""
    sources = [*_files(), _module("features.py"), _module("training.py")]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()


def train() -> Weights:
    """Learn the examples."""
    taught = examples()
    rarity = _rarity([text for text, _ in taught])
    matrix = _matrix([text for text, _ in taught], rarity)
    intents = [str(intent) for _, intent in taught]
    return weights(rarity, [machine.fit(matrix, intents) for machine in machines()])


def machines() -> tuple[LinearSVC, LinearSVC]:
    """Each intent against all others, and all against one another, not taught yet.

    The one finds rare intents, the other knows better when it isn't sure; they err differently.
    """
    alike = {"C": _COST, "tol": _PRECISION, "random_state": _SEED}
    # Balanced: what there are few examples of counts as much as what there are many of.
    return (
        LinearSVC(class_weight="balanced", **alike),
        LinearSVC(multi_class="crammer_singer", **alike),
    )


def weights(
    rarity: "np.ndarray[tuple[int], np.dtype[np.float32]]", taught: list[LinearSVC]
) -> Weights:
    """What the two machines of `machines` learnt, as one: sums of sums are sums."""
    alone, together = taught
    coefficients = alone.coef_ + _TOGETHER * together.coef_
    return Weights(
        intents=tuple(Intent(name) for name in alone.classes_),
        weights=np.ascontiguousarray(coefficients.T, dtype=np.float16),
        bias=(alone.intercept_ + _TOGETHER * together.intercept_).astype(np.float32),
        rarity=rarity.astype(np.float16),
        digest=digest(),
    )


def _rarity(texts: list[str]) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """How telling each place is: the logarithm of how seldom it is met (idf)."""
    met: Counter[int] = Counter(place for text in texts for place in features.places(text))
    counts = np.zeros(features.PLACES, dtype=np.float32)
    counts[list(met)] = list(met.values())
    # As they are kept, so that learning and answering see the same numbers.
    idf = np.log((1 + len(texts)) / (1 + counts)) + 1
    return idf.astype(np.float16).astype(np.float32)


def _matrix(texts: list[str], rarity: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> csr_matrix:
    rows = [vector_of(text, rarity) for text in texts]
    ends = np.cumsum([0, *(len(places) for places, _ in rows)])
    return csr_matrix(
        (
            np.concatenate([values for _, values in rows]),
            np.concatenate([places for places, _ in rows]),
            ends,
        ),
        shape=(len(texts), features.PLACES),
    )


def _files() -> list[Traversable]:
    folder = resources.files(__package__).joinpath("examples")
    return sorted(folder.iterdir(), key=lambda path: path.name)


def _module(name: str) -> Traversable:
    return resources.files(__package__).joinpath(name)


if __name__ == "__main__":
    train().save(Path(str(FILE)))

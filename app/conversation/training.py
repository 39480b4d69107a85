"""Teaches the brain: ``make brain`` writes `brain.npz` from the examples.

Each example is learnt as it stands and as guests would say it otherwise (`varying`), by a linear
support vector machine over the features, scikit-learn's; the same examples make the same file. Only
this needs scikit-learn: `app.conversation.brain` adds up the numbers that it found.
"""

import hashlib
import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.svm import LinearSVC

from app.conversation import features, varying
from app.conversation.brain import FILE, Weights, places_of, values_of
from app.conversation.intent import Intent

# Chosen on files of examples that were left out of learning: with 0.3 five more of 100 are wrong.
_COST: Final = 1.0
_PRECISION: Final = 1e-2  # a hundred times as coarse as is usual: as good, in much less time
_SEED: Final = 1


def examples() -> list[tuple[str, Intent]]:
    """Every example and its intent, of all languages."""
    return [example for path in _files() for example in _of(path)]


def varied() -> list[tuple[str, Intent]]:
    """What is learnt: every example, and its variants."""
    return [
        (said, intent)
        for path in _files()
        for text, intent in _of(path)
        for said in (text, *varying.variants(text, intent, _language(path)))
    ]


def digest() -> str:
    """Of all that the trained file is made from; it is written into the file."""
    modules = ("features.py", "training.py", "varying.py", "varying.yml")
    sources = [*_files(), *map(_module, modules)]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()


def train() -> Weights:
    """Learn the examples."""
    taught = varied()
    places = [places_of(text) for text, _ in taught]
    rarity = _rarity(places)
    learner = machine().fit(_matrix(places, rarity), [str(intent) for _, intent in taught])
    return weights(rarity, learner)


def machine() -> LinearSVC:
    """Learns each intent against all others; not taught yet."""
    # Balanced: what there are few examples of counts as much as what there are many of.
    return LinearSVC(class_weight="balanced", C=_COST, tol=_PRECISION, random_state=_SEED)


def weights(rarity: NDArray[np.float32], learner: LinearSVC) -> Weights:
    """What ``learner``, a taught `machine`, found."""
    scale = np.abs(learner.coef_).max(axis=1) / np.iinfo(np.int8).max
    return Weights(
        intents=tuple(Intent(name) for name in learner.classes_),
        weights=np.ascontiguousarray(np.rint(learner.coef_.T / scale), dtype=np.int8),
        scale=scale.astype(np.float32),
        bias=learner.intercept_.astype(np.float32),
        rarity=rarity.astype(np.float16),
        digest=digest(),
    )


def _rarity(rows: list[NDArray[np.int32]]) -> NDArray[np.float32]:
    """How telling each place is: the logarithm of how seldom it is met (idf)."""
    counts = np.bincount(np.concatenate(rows), minlength=features.PLACES)
    # As they are kept, so that learning and answering see the same numbers.
    idf = np.log((1 + len(rows)) / (1 + counts)) + 1
    return idf.astype(np.float16).astype(np.float32)


def _matrix(rows: list[NDArray[np.int32]], rarity: NDArray[np.float32]) -> csr_matrix:
    ends = np.cumsum([0, *map(len, rows)])
    values = np.concatenate([values_of(places, rarity) for places in rows])
    return csr_matrix((values, np.concatenate(rows), ends), shape=(len(rows), features.PLACES))


def _of(path: Traversable) -> list[tuple[str, Intent]]:
    # CSafeLoader is safe_load's own loader in C: 80,000 lines take 2 s, and 12 s without.
    intents: dict[str, list[str]] = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    return [(text, Intent(intent)) for intent, texts in intents.items() for text in texts]


def _language(path: Traversable) -> str | None:
    """That of a file by its name, "de-tricky.yml"; None for one of several languages."""
    start = re.split("[-.]", path.name)[0]
    return start if start in varying.LANGUAGES else None


def _files() -> list[Traversable]:
    folder = resources.files(__package__).joinpath("examples")
    return sorted(folder.iterdir(), key=lambda path: path.name)


def _module(name: str) -> Traversable:
    return resources.files(__package__).joinpath(name)


if __name__ == "__main__":
    train().save(Path(str(FILE)))

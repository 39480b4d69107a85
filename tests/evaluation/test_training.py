"""Training anew makes the same brain. It takes minutes of a core: not one for the inner loop."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.conversation import brain, training
from app.conversation.understanding import Understanding
from tests.evaluation.messages import Split, read


@pytest.fixture
def taught_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The brain reads a file of its own from when this is set up."""
    anew = tmp_path / "brain.npz"
    training.train().save(anew)
    monkeypatch.setattr(brain, "FILE", anew)
    brain.learnt.cache_clear()
    yield
    brain.learnt.cache_clear()


@pytest.fixture
def kept() -> list[Understanding]:
    """What the file in the tree makes of each message of dev."""
    assert brain.learnt().digest == training.digest(), "examples or features changed: make brain"
    return [brain.understand(message.text) for message in read(Split.DEV)]


def test_training_anew_decides_alike(kept: list[Understanding], taught_anew: None) -> None:
    anew = [brain.understand(message.text) for message in read(Split.DEV)]
    differ = [
        message.text
        for message, before, after in zip(read(Split.DEV), kept, anew, strict=True)
        if [guess.intent for guess in before.guesses] != [guess.intent for guess in after.guesses]
    ]
    assert not differ

"""The evaluation measures what it says: nothing in it was learnt, and nothing is too thin."""

from collections import Counter

import pytest

from app.conversation import training
from app.conversation.intent import Intent
from app.conversation.language import Language
from tests.evaluation.likeness import Neighbours, normalised, within_one_edit
from tests.evaluation.messages import Split, read

FEWEST_AN_INTENT = {Split.DEV: 20, Split.TEST: 50}


@pytest.fixture(scope="module")
def examples() -> dict[str, str]:
    """Normalised → as it stands in the examples."""
    return {normalised(text): text for text, _ in training.examples()}


def texts(split: Split) -> set[str]:
    return {normalised(message.text) for message in read(split)}


@pytest.mark.parametrize("split", Split)
def test_no_message_was_learnt(split: Split, examples: dict[str, str]) -> None:
    """The examples that are named are to be taken out; the messages stay."""
    measured = Neighbours(texts(split))
    learnt = sorted(text for folded, text in examples.items() if any(measured.of(folded)))
    assert not learnt, f"{len(learnt)} examples are messages of {split}, but for an edit at most"


def test_dev_and_test_share_nothing() -> None:
    assert not texts(Split.DEV) & texts(Split.TEST)


@pytest.mark.parametrize("split", Split)
def test_no_message_is_there_twice(split: Split) -> None:
    counted = Counter(message.text for message in read(split))
    assert [text for text, times in counted.items() if times > 1] == []


@pytest.mark.parametrize("split", Split)
def test_each_intent_has_enough_in_each_language(split: Split) -> None:
    counted = Counter(message.intent for message in read(split))
    spoken = {(message.intent, message.language) for message in read(split)}
    assert min(counted[intent] for intent in Intent) >= FEWEST_AN_INTENT[split]
    assert spoken == {(intent, language) for intent in Intent for language in Language}


@pytest.mark.parametrize("split", Split)
@pytest.mark.parametrize("language", Language)
def test_about_a_third_is_hard(split: Split, language: Language) -> None:
    hard = [message.hard for message in read(split) if message.language is language]
    assert sum(hard) / len(hard) == pytest.approx(1 / 3, abs=0.02)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("wifi", "wifi", True),
        ("wifi", "wifo", True),
        ("wifi", "wfi", True),
        ("wifi", "wwifi", True),
        ("wifi", "wifi?", True),
        ("", "a", True),
        ("wifi", "wfii", False),  # two letters that changed places are two edits
        ("wifi", "wi", False),
        ("wifi", "wifoo", False),
    ],
)
def test_one_edit(one: str, other: str, alike: bool) -> None:
    assert within_one_edit(one, other) is within_one_edit(other, one) is alike


@pytest.mark.parametrize("near", ["parking", "arking", "parkin", "xparking", "parkings", "paxking"])
def test_neighbours_are_found_wherever_the_edit_is(near: str) -> None:
    assert set(Neighbours(["parking", "breakfast"]).of(near)) == {"parking"}


def test_what_is_normalised_away() -> None:
    assert normalised("Où est l'Hôtel ?!") == "ou est l hotel"
    assert normalised("👍") == "👍"

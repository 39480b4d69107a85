"""The evaluation measures what it says: nothing in it was learnt, and nothing is too thin."""

from collections import Counter

import pytest

from app.conversation import training
from app.conversation.intent import Intent
from app.conversation.language import Language
from tests.evaluation.likeness import Neighbours, alike, normalised, within_one_edit
from tests.evaluation.messages import Split, read
from tests.evaluation.unseen import unseen

FEWEST_AN_INTENT = {Split.DEV: 20, Split.TEST: 50}


def texts(split: Split) -> set[str]:
    return {normalised(message.text) for message in read(split)}


@pytest.mark.parametrize("split", Split)
def test_what_is_measured_was_never_learnt_and_is_enough(split: Split) -> None:
    left = unseen(split)
    learnt = {normalised(text) for text, _ in training.examples()}
    assert not learnt & {normalised(message.text) for message in left}
    counted = Counter(message.intent for message in left)
    assert min(counted[intent] for intent in Intent) >= 20


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
    ("one", "other", "is_one"),
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
def test_one_edit(one: str, other: str, is_one: bool) -> None:
    assert within_one_edit(one, other) is within_one_edit(other, one) is is_one


def test_an_edit_of_a_short_word_makes_another() -> None:
    assert alike("stop", "stop")
    assert not alike("stop", "shop")
    assert alike("stops", "shops")


@pytest.mark.parametrize("near", ["parking", "arking", "parkin", "xparking", "parkings", "paxking"])
def test_neighbours_are_found_wherever_the_edit_is(near: str) -> None:
    assert set(Neighbours(["parking", "breakfast"]).of(near)) == {"parking"}


def test_what_is_normalised_away() -> None:
    assert normalised("Où est l'Hôtel ?!") == "ou est l hotel"
    assert normalised("👍") == "👍"

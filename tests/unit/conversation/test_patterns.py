"""The language that phrases are written in, and how text becomes words."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation.patterns import PhraseBook
from app.conversation.words import BREAKS, words


def found(phrases: Sequence[str], text: str, right: Sequence[str] = ()) -> bool:
    return bool(PhraseBook({"it": phrases}, is_right=right.__contains__).find(words(text)))


@pytest.mark.parametrize(
    ("phrase", "text", "stands_there"),
    [
        ("fire", "Fire!", True),
        ("fire", "campfire", False),
        ("fire", "fired", False),
        ("park*", "parcheggio", False),
        ("park*", "Parkplätze", True),
        ("check in", "Check-in?", True),
        ("c e", "c'è", True),
        ("where/when ... breakfast", "When on earth is the breakfast", True),
        ("where/when ... breakfast", "when breakfast", True),
        ("where ... breakfast", "Where do we all go to get breakfast", False),  # more than four
        ("where ... breakfast", "Where? I ate breakfast", False),  # another clause
        ("^ help $", "¡¡Help!!", True),
        ("^ help $", "Can you help", False),
        ("^ help $", "help me", False),
        ("früh*", "FRUEHSTUECK", True),
        ("früh*", "fruhstuck", True),
        ("grüß", "gruess", True),
    ],
)
def test_finds(phrase: str, text: str, stands_there: bool) -> None:
    assert found([phrase], text) is stands_there


@pytest.mark.parametrize("text", ["pakring", "parkin", "parkking", "parkibg"])
def test_forgives_one_slip_in_a_long_word(text: str) -> None:
    assert found(["parking"], text)


@pytest.mark.parametrize("text", ["hire", "barking", "pig", "parted"])
def test_does_not_bend_other_words(text: str) -> None:
    assert not found(["parking", "fire"], text)


def test_leaves_words_that_are_right_alone() -> None:
    assert found(["notfall"], "notfalls")
    assert not found(["notfall"], "notfalls", right=["notfalls"])


@pytest.mark.parametrize("phrase", ["", "... fire", "fire ...", "c'è", "check-in", "a//b"])
def test_refuses_a_phrase_that_could_never_be_found(phrase: str) -> None:
    with pytest.raises(ValueError, match=r"word"):
        PhraseBook({"it": [phrase]}, is_right=bool)


@given(st.text())
def test_words_have_no_space_in_them_and_never_begin_with_a_break(text: str) -> None:
    found_words = words(text)
    assert all(word == word.strip() and word for word in found_words)
    assert not found_words or found_words[0] not in BREAKS

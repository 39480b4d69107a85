"""What an example is varied into still asks for the same, and is the same each time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation import varying
from app.conversation.intent import Intent
from app.conversation.varying import variants

languages = st.sampled_from([*varying.LANGUAGES, None])


@given(st.text(max_size=80), st.sampled_from(Intent), languages)
def test_any_text_is_varied_alike_each_time(
    text: str, intent: Intent, language: str | None
) -> None:
    once = variants(text, intent, language)
    assert once == variants(text, intent, language)
    assert len(once) == len(set(once)) <= 2
    assert all(once)
    assert text not in once


@pytest.mark.parametrize("language", varying.LANGUAGES)
def test_a_wish_stands_behind_what_is_denied_told_or_wished(language: str) -> None:
    """Unspoiled, the framed variant ends with the wish, or begins with it."""
    wish = "0000?"
    found = [
        one
        for number in range(200)
        for one in variants(f"{number} {wish}", Intent.WIFI, language)
        if wish in one
    ]
    assert found
    assert len({one.split(wish)[0] for one in found}) > 100


@pytest.mark.parametrize("intent", [Intent.GREETING, Intent.THANKS])
def test_a_courtesy_is_only_mistyped_or_translated(intent: Intent) -> None:
    for number in range(100):
        for one in variants(f"{number:04} {number:04}", intent, "en"):
            assert one.split() == [f"{number:04}"] * 2


def test_haste_drops_accents_and_capitals() -> None:
    hasty = variants("È POSSIBILE ENTRARE PIÙ TARDI?", Intent.ARRIVAL, "it")[0]
    assert hasty.isascii()
    assert hasty == hasty.lower()


def test_only_an_emergency_is_never_denied_an_emergency() -> None:
    denied = varying.words()["denied"][Intent.EMERGENCY]
    said = [
        one
        for number in range(300)
        for language in varying.LANGUAGES
        for one in variants(f"{number} 0000", Intent.EMERGENCY, language)
    ]
    assert not [one for one in said for what in denied["it"] + denied["en"] if what in one]


def test_every_language_has_every_kind_of_words() -> None:
    words = varying.words()
    for kind in ("shortened", "denials", "before", "after", "asides"):
        assert set(words[kind]) == set(varying.LANGUAGES)
        assert all(words[kind].values())
    for of_intent in words["denied"].values():
        assert set(of_intent) == set(varying.LANGUAGES)
    assert {len(meaning.split("|")) for meaning in words["meanings"]} == {5}
    assert all("{}" in frame for frames in words["denials"].values() for frame in frames)

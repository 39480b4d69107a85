"""What the brain promises whatever is written to it; how well it guesses, tests/evaluation says."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.conversation import brain, training
from app.conversation.intent import Intent
from app.conversation.understanding import Understanding

QUESTIONS = {
    "What is the wifi password?": Intent.WIFI,
    "Dove posso parcheggiare la macchina?": Intent.PARKING,
    "Wann gibt es Frühstück?": Intent.BREAKFAST,
    "Je voudrais annuler ma réservation": Intent.BOOKING_CANCEL,
    "¿Me pueden enviar la factura?": Intent.INVOICE,
}


def intents(text: str) -> list[Intent]:
    return [guess.intent for guess in brain.understand(text).guesses]


def test_the_trained_file_fits_the_tree() -> None:
    assert brain.learnt().digest == training.digest(), (
        "examples or features changed: run make brain"
    )


def test_every_intent_was_learnt() -> None:
    assert set(brain.learnt().intents) == set(Intent)


@pytest.mark.parametrize(("text", "intent"), list(QUESTIONS.items()))
def test_a_plain_question_is_understood_in_each_language(text: str, intent: Intent) -> None:
    assert intents(text) == [intent]


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u200d", "___"])
def test_nothing_to_read_is_other(text: str) -> None:
    assert intents(text) == [Intent.OTHER]


@pytest.mark.parametrize("text", ["x" * 100_000, "wifi " * 20_000, "a b c. " * 14_000])
def test_a_message_longer_than_whatsapp_allows_is_read(text: str) -> None:
    assert 1 <= len(brain.understand(text).guesses) <= 3


# Surrogate halves among them: JSON can hold half an emoji.
@given(st.text(st.characters()))
@example("\ud83d")
@example("wifi \udc4b?")
@example("👍🏽👨‍👩‍👧‍👦🇮🇹")
@example("\x00")
def test_any_text_is_understood_somehow(text: str) -> None:
    guesses = brain.understand(text).guesses
    assert 1 <= len(guesses) <= 3
    assert all(0 <= guess.score <= 1 for guess in guesses)
    assert len({guess.intent for guess in guesses}) == len(guesses)
    assert brain.understand(text).guesses == guesses


@given(st.text(st.characters()))
def test_the_shares_add_up(text: str) -> None:
    shares = brain.shares(text)
    assert set(shares) == set(Intent)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)  # they are single floats


def test_two_wishes_in_two_sentences_are_both_heard() -> None:
    text = "What is the wifi password? Where can I park my car?"
    assert set(intents(text)) == {Intent.WIFI, Intent.PARKING}


def test_a_courtesy_is_no_second_wish() -> None:
    assert intents("What is the wifi password? Thank you very much indeed!") == [Intent.WIFI]


@pytest.mark.parametrize(
    "text",
    [
        "Where can I park my car? There is a fire in the kitchen!",
        "Grazie per la colazione. Mio marito è svenuto, chiamate un'ambulanza!",
        "Wie ist das WLAN-Passwort? Hilfe, es brennt im Flur!",
    ],
)
def test_danger_in_the_second_sentence_goes_before_all(text: str) -> None:
    assert intents(text) == [Intent.EMERGENCY]


@pytest.mark.parametrize(
    "text",
    [
        "Walburga Musterfrau, +39 000 0000001, walburga@example.invalid",
        "Ermelinda Finta\ncell. +39 000 0000002\nvia Inventata 3",
        "Kind regards, Ignatius Sample, +39 000 0000003",
    ],
)
def test_a_signature_alone_asks_for_nothing(text: str) -> None:
    assert intents(text) == [Intent.OTHER]


def test_threads_may_share_it() -> None:
    texts = [*QUESTIONS] * 40
    alone = [brain.understand(text) for text in texts]
    with ThreadPoolExecutor(8) as threads:
        together: list[Understanding] = list(threads.map(brain.understand, texts))
    assert together == alone

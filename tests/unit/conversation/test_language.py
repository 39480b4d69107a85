"""Telling the language: alone, against what is known, and where nothing tells."""

import pytest

from app.conversation.language import Language, detect

DE, EN, ES, FR, IT = Language.DE, Language.EN, Language.ES, Language.FR, Language.IT


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Ciao", IT),
        ("Salve", IT),
        ("Hi", EN),
        ("Hello", EN),
        ("Hallo", DE),
        ("Moin", DE),
        ("Salut", FR),
        ("Merci", FR),
        ("Hola", ES),
        ("Buenas", ES),
        ("CIAOOOO!!!", IT),
        ("What time is check-in?", EN),  # lingua alone: German
        ("A che ora è il check-in?", IT),  # lingua alone: Spanish
    ],
)
def test_tells_short_messages_without_knowing_the_guest(text: str, language: Language) -> None:
    assert detect(text) is language


@pytest.mark.parametrize(
    "text", ["", "   ", "😀😀", "12345", "+39 000 0000000", "https://example.invalid/ciao", "wifi?"]
)
def test_has_no_language_where_nothing_tells(text: str) -> None:
    assert detect(text) is None
    assert detect(text, FR) is FR


@pytest.mark.parametrize("text", ["thanks", "ok thanks", "Danke", "merci!", "Hola"])
def test_one_word_of_another_language_changes_nothing(text: str) -> None:
    assert detect(text, IT) is IT


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Sorry, could you tell me where we can park the car?", EN),
        ("Entschuldigung, wo können wir das Auto parken?", DE),
        ("Excusez-moi, où peut-on garer la voiture ?", FR),
        ("Perdone, ¿dónde podemos aparcar el coche?", ES),
    ],
)
def test_a_sentence_in_another_language_is_a_switch(text: str, language: Language) -> None:
    assert detect(text, IT) is language


def test_an_address_does_not_tell_the_language() -> None:
    assert (
        detect("Buongiorno, guardi qui: https://example.invalid/where/is/the/breakfast/please")
        is IT
    )

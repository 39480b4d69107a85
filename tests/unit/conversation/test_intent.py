"""What a message wants: priorities, several wishes at once, words that mislead."""

import pytest

from app.conversation.intent import Intent, recognise


@pytest.mark.parametrize(
    ("text", "intents"),
    [
        ("Hi, the wifi password please, and there is a fire!", {Intent.EMERGENCY, Intent.WIFI}),
        ("Wo kann ich parken und wann ist Frühstück?", {Intent.PARKING, Intent.BREAKFAST}),
        ("Password wifi, wann Frühstück, y dónde aparcar?", set(list(Intent)[2:5])),
    ],
)
def test_finds_all_that_is_asked_in_the_order_of_a_reply(text: str, intents: set[Intent]) -> None:
    found = [intent for intent in recognise(text) if intent is not Intent.GREETING]
    assert found == sorted(intents, key=list(Intent).index)


@pytest.mark.parametrize(
    "text",
    [
        "Is there a fire place?",
        "Is there a fireplace?",
        "Where is the fire exit?",
        "Wo ist der Feuerlöscher?",
        "Dove si vedono i fuochi d'artificio?",
        "où est l'issue de secours ?",
        "¿Dónde está la salida de emergencia?",
        "It's not an emergency, but the lamp is out",
        "Can you help me find my suitcase?",
        "Mi può aiutare?",
        "Notfalls kommen wir später",
    ],
)
def test_no_false_alarm(text: str) -> None:
    assert Intent.EMERGENCY not in recognise(text)


@pytest.mark.parametrize("text", ["Feuerwehr", "AIUTO", "help help", "¡Socorro!", "au feu", "🆘"])
def test_one_word_is_enough_for_help(text: str) -> None:
    assert recognise(text) == (Intent.EMERGENCY,)


@pytest.mark.parametrize(
    "text",
    [
        "Hi, can I bring my dog?",
        "Hello, we lost an umbrella on the beach",
        "Grazie! Si può noleggiare una bici?",
        "Breakfast at eight is great. Do you rent bicycles?",
    ],
)
def test_what_is_not_understood_is_never_dropped(text: str) -> None:
    assert Intent.OTHER in recognise(text)


@pytest.mark.parametrize(
    "text",
    ["No problem with the wifi", "Das WLAN funktioniert super", "Wir brauchen kein Frühstück"],
)
def test_what_is_only_mentioned_is_not_asked(text: str) -> None:
    assert not {Intent.WIFI, Intent.BREAKFAST} & {*recognise(text)}


@pytest.mark.parametrize("text", ["", "  ", "?", "12345", "xyzzy"])
def test_nothing_understood_is_other(text: str) -> None:
    assert recognise(text) == (Intent.OTHER,)

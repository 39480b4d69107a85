"""What must be sure: a yes, a no, a bare follow-up, who has left."""

import time

import pytest

from app.conversation.said import Aspect, Saying, affirms, follow_up, says, yes_or_no


@pytest.mark.parametrize(
    "text",
    [
        *("sì", "SÌ!!", "Si grazie", "ok grazie", "Va bene.", "certo, volentieri", "perfetto"),
        *(
            "yes please",
            "Yes!",
            "ok",
            "sure, thanks",
            "That would be great, thank you",
            "👍",
            "👍🏽",
        ),
        *("ja bitte", "gerne", "Sehr gern, danke 😊", "einverstanden", "das nehmen wir"),
        *("oui", "d'accord", "Avec plaisir, merci", "ça marche", "vale", "sí, por favor", "claro"),
    ],
)
def test_a_yes_is_a_yes(text: str) -> None:
    assert yes_or_no(text) is True


@pytest.mark.parametrize(
    "text",
    [
        *("no", "No grazie", "no, va bene così grazie", "meglio di no", "lasciamo stare", "👎"),
        *(
            "no thanks",
            "No, thank you, that's fine",
            "ok, no thanks",
            "too expensive",
            "never mind",
        ),
        *(
            "nein danke",
            "Nein, passt schon",
            "lieber nicht",
            "zu teuer",
            "non merci",
            "Non, ça ira",
        ),
        *("no gracias", "mejor no", "No hace falta, gracias"),
    ],
)
def test_a_no_is_a_no(text: str) -> None:
    assert yes_or_no(text) is False


@pytest.mark.parametrize(
    "text",
    [
        *("", "?", "sì?", "thanks", "grazie", "bitte", "yes but how much?", "yes, until two", "12"),
        *(
            "va bene anche alle 14",
            "ok e la colazione",
            "no problem",
            "si può fumare",
            "yes and no",
        ),
        *("ja aber billiger", "oui mais à midi", "vale la pena", "I said no such thing", "non so"),
        "yes yes yes yes yes yes yes yes yes yes yes yes",
    ],
)
def test_anything_more_is_neither(text: str) -> None:
    assert yes_or_no(text) is None


@pytest.mark.parametrize(
    ("text", "aspect"),
    [
        ("and at what time?", Aspect.WHEN),
        ("E fino a che ora?", Aspect.WHEN),
        ("et à quelle heure ?", Aspect.WHEN),
        ("e quanto costa?", Aspect.PRICE),
        ("¿y cuánto?", Aspect.PRICE),
        ("Ok, how much is it?", Aspect.PRICE),
        ("und wo?", Aspect.WHERE),
        ("dov'è?", Aspect.WHERE),
        ("how much is the parking?", None),
        ("quando arriva il taxi?", None),
        ("und wo ist der Bahnhof?", None),
        ("and", None),
        ("", None),
    ],
)
def test_a_follow_up_names_no_subject(text: str, aspect: Aspect | None) -> None:
    assert follow_up(text) is aspect


@pytest.mark.parametrize(
    "text",
    [
        *("Siamo partiti stamattina", "We've already left, thanks", "We have just checked out"),
        *("Wir sind heute früh abgereist", "Nous sommes partis", "Ya nos hemos ido", "il taxi"),
    ],
)
def test_who_has_left_says_so(text: str) -> None:
    assert affirms(Saying.LEFT, text) is (text != "il taxi")


@pytest.mark.parametrize("text", ["Non siamo ancora partiti", "We haven't checked out yet"])
def test_what_is_denied_is_not_said(text: str) -> None:
    assert not affirms(Saying.LEFT, text)


def test_a_phrase_is_of_whole_words() -> None:
    assert says(Saying.FAREWELL, "Ciao!")
    assert not says(Saying.FAREWELL, "lemonade")


@pytest.mark.parametrize("text", ["yes " * 1000, "wir sind " * 450, "e " * 2000, "no ok " * 680])
def test_no_text_takes_long(text: str) -> None:
    start = time.process_time()
    yes_or_no(text), follow_up(text), says(Saying.LEFT, text)
    # 4096 characters take up to 10 ms; what is quadratic in them takes seconds.
    assert time.process_time() - start < 0.25

"""The guard: what a model may say in the place of our own words, and what it may not."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.conversation.figures import figures
from app.conversation.guard import objection
from app.conversation.language import Language
from app.conversation.model_calls import Outcome
from app.conversation.phrases import bundled
from app.conversation.told import TOPICS, tell
from tests.unit.conversation.talking import EXAMPLE

DE, EN, ES, FR, IT = Language.DE, Language.EN, Language.ES, Language.FR, Language.IT

# What the concierge tells of each topic, in each language.
OURS = [
    (told.text, language)
    for language in Language
    for topic in sorted(TOPICS)
    if (told := tell(topic, EXAMPLE, bundled()[language])) is not None
]
LONG = [one for one in OURS if objection(one[0], *one) is None]


def test_nearly_all_that_we_say_would_pass_itself() -> None:
    """What doesn't is too short, or too full of names, for its language to be told."""
    assert len(OURS) == 55
    assert len(LONG) >= 50
    assert {objection(text, text, language) for text, language in OURS} <= {None, Outcome.LANGUAGE}


ENGLISH = "Breakfast is served from 7:30 am to 10 am in the veranda, and it is included for you."
GOOD = [
    ("You find breakfast in the veranda from 7:30 am to 10 am; it is free for you.", ENGLISH, EN),
    (
        "Certo! Per voi la colazione va dalle 7:30 alle 10:00 ed è inclusa.",
        "La colazione è servita dalle 7:30 alle 10:00 ed è compresa.",
        IT,
    ),
    (
        "Natürlich, Ihr Zimmer ist ab 15:00 Uhr bereit, und der Preis ist €25.",
        "Ihr Zimmer ist ab 15 Uhr für Sie bereit. Der Preis beträgt 25,00\xa0€.",
        DE,
    ),
    (
        "Le petit-déjeuner vous attend de 7h30 à 10h dans la véranda.",
        "Le petit-déjeuner est servi de 7 h 30 à 10 h dans la véranda.",
        FR,
    ),
    (
        "La habitación estará lista para usted a partir de las 15:00.",
        "Su habitación está lista a partir de las 15:00.",
        ES,
    ),
]
BAD = [
    ("", Outcome.EMPTY),
    (" \n ", Outcome.EMPTY),
    (ENGLISH.replace("10 am", "11 am"), Outcome.FIGURES),
    (ENGLISH.replace("10 am", "10 pm"), Outcome.FIGURES),
    (ENGLISH.replace("7:30", "7.30"), Outcome.FIGURES),
    (ENGLISH.replace("7:30 am to 10 am", "10 am to 7:30 am"), Outcome.FIGURES),
    (ENGLISH.replace(" from 7:30 am to 10 am", ""), Outcome.FIGURES),
    (ENGLISH + " It costs €9.", Outcome.FIGURES),
    (ENGLISH + " It costs nine euros.", Outcome.FIGURES),
    (ENGLISH + " There are n\u200bine of them.", Outcome.FIGURES),
    (ENGLISH + " The code of the door is 4711.", Outcome.FIGURES),
    (ENGLISH + " The code of the door is LUMACA.", Outcome.FIGURES),
    (ENGLISH + " The code of the door is ４７.", Outcome.FIGURES),  # noqa: RUF001 - wide digits
    (ENGLISH + " The code of the door is 4\u200b2.", Outcome.FIGURES),
    (ENGLISH + " Call +39 000 0000001 for more.", Outcome.FIGURES),
    (ENGLISH + " Book it at breakfast.example.invalid for more.", Outcome.FIGURES),
    (ENGLISH + " Write to anna@example.invalid for more.", Outcome.FIGURES),
    (ENGLISH + " See https://example.invalid/x for more.", Outcome.FIGURES),
    (ENGLISH + " On Sunday we start later.", Outcome.FIGURES),
    (ENGLISH + " In December we start later.", Outcome.FIGURES),
    (ENGLISH + " At noon we close the room.", Outcome.FIGURES),
    (ENGLISH + " The pool is free.", Outcome.FIGURES),
    (ENGLISH + " Please ask for Filippo at the desk.", Outcome.NAMES),
    (ENGLISH + " Dogs may not come in there.", Outcome.DENIAL),
    (ENGLISH + " " + "It is lovely there. " * 30, Outcome.TOO_LONG),
    ("Il servizio in veranda è per voi, 7:30 am, 10 am, incluso.", Outcome.LANGUAGE),
    (ENGLISH + " Per favore, ci dica se ha qualche allergia o intolleranza.", Outcome.LANGUAGE),
]


@pytest.mark.parametrize(("worded", "ours", "language"), GOOD)
def test_the_same_facts_in_other_words_may_be_sent(
    worded: str, ours: str, language: Language
) -> None:
    assert objection(worded, ours, language) is None


@pytest.mark.parametrize(("worded", "why"), BAD)
def test_what_is_told_otherwise_may_not(worded: str, why: Outcome) -> None:
    assert objection(worded, ENGLISH, EN) is why


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("undici", IT),
        ("ventitré", IT),
        ("eleven", EN),
        ("twenty-three", EN),
        ("half", EN),
        ("elf", DE),
        ("dreiundzwanzig", DE),
        ("zweiten", DE),
        ("Mittwoch", DE),
        ("onze", FR),
        ("vingt-trois", FR),
        ("deuxième", FR),
        ("minuit", FR),
        ("veintitrés", ES),
        ("segundo", ES),
        ("mediodía", ES),
        ("miércoles", ES),
    ],
)
def test_figures_may_be_words(words: str, language: Language) -> None:
    assert figures(words, language)


@pytest.mark.parametrize(
    ("one", "same", "language"),
    [
        ("€25.00", "25 €", EN),
        ("25,00\xa0€", "25 Euro", DE),
        ("25 €", "25 euros", FR),
        ("7 h 30", "7h30", FR),
        ("7:30 am", "7:30am", EN),
        ("3 p.m.", "3 pm", EN),
        ("10:00", "10", IT),
        ("*15:00*", "15:00", IT),
        ("7:30–10:00", "7:30 10:00", IT),  # noqa: RUF001 - an en dash
    ],
)
def test_one_figure_has_one_spelling(one: str, same: str, language: Language) -> None:
    assert figures(one, language) == figures(same, language) != ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.000 €", "1 €"),
        ("25 €", "25 $"),
        ("25 €", "25"),
        ("ab1", "AB1"),
        ("8", "8%"),
        ("3", "33"),
    ],
)
def test_different_figures_stay_different(one: str, other: str) -> None:
    assert figures(one, EN) != figures(other, EN)


digits = st.integers(0, 10**9).map(str)
invented = st.one_of(
    digits,
    st.builds("{}:{:02}".format, st.integers(0, 23), st.integers(0, 59)),
    st.builds("{}€".format, digits),
    st.builds("€{}.{:02}".format, digits, st.integers(0, 99)),
    st.builds("{}%".format, digits),
    st.text(string.ascii_uppercase, min_size=3, max_size=10),
    st.builds("{}{}".format, st.text(string.ascii_letters, min_size=1, max_size=8), digits),
    st.builds("+39{}".format, digits),
    st.builds("https://{}.invalid".format, st.text(string.ascii_lowercase, min_size=1)),
    st.builds("{}@example.invalid".format, st.text(string.ascii_lowercase, min_size=1)),
    st.builds("{}.com".format, st.text(string.ascii_lowercase, min_size=2)),
)


@given(st.sampled_from(LONG), invented, st.data())
def test_an_invented_figure_never_passes(
    one: tuple[str, Language], figure: str, data: st.DataObject
) -> None:
    ours, language = one
    words = ours.split(" ")
    words.insert(data.draw(st.integers(0, len(words))), figure)
    assert objection(" ".join(words), ours, language) is not None


@given(st.sampled_from(LONG), invented, st.data())
def test_a_changed_figure_never_passes(
    one: tuple[str, Language], figure: str, data: st.DataObject
) -> None:
    ours, language = one
    words = ours.split(" ")
    places = [place for place, word in enumerate(words) if any(map(str.isdigit, word))]
    assume(places)
    words[data.draw(st.sampled_from(places))] = figure
    changed = " ".join(words)
    assume(figures(changed, language) != figures(ours, language))
    assert objection(changed, ours, language) is not None


@given(st.sampled_from(LONG), st.text() | st.text("0123456789 :€.ap m\u200b\ud800", max_size=40))
def test_whatever_comes_what_passes_has_our_figures(one: tuple[str, Language], text: str) -> None:
    ours, language = one
    for worded in (text, ours + text, f"{ours} {text}"):
        if objection(worded, ours, language) is None:
            assert figures(worded, language) == figures(ours, language)

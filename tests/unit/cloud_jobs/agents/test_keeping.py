import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloud_jobs.agents.keeping import Objection, masked, objection, unmasked, with_24_hours

TEXT = (
    "Domani la piscina apre alle 9:00 e chiude alle 18:30, si entra con il codice A12B "
    "e si paga 12,50 € al signor Rossi: https://example.invalid/piscina?a=1."
)
GOOD = (
    "The pool opens at 9:00 tomorrow and closes at 18:30, you enter with the code A12B "
    "and pay 12.50 € to Mr Rossi: https://example.invalid/piscina?a=1."
)


def test_a_translation_that_keeps_all_may_go() -> None:
    assert objection(GOOD, TEXT, "it", "en") is None


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        ("9:00", "10:00", Objection.FIGURES),
        ("18:30", "6:30 pm", Objection.FIGURES),
        ("12.50 €", "12.50 $", Objection.FIGURES),
        ("12.50 €", "12 €", Objection.FIGURES),
        ("A12B", "A12C", Objection.CODES),
        ("A12B", "A12B or B34", Objection.CODES),
        ("piscina?a=1", "pool?a=1", Objection.ADDRESSES),
        (": https://example.invalid/piscina?a=1", "", Objection.ADDRESSES),
        ("Rossi", "Redd", Objection.NAMES),
        ("to Mr Rossi", "to Mr Rossi and to Gianluca", Objection.NAMES),
        (GOOD, "", Objection.EMPTY),
        (GOOD, TEXT, Objection.LANGUAGE),
        (GOOD, GOOD + " And then the desk says more and more of it." * 20, Objection.TOO_LONG),
    ],
)
def test_what_is_told_otherwise_may_not_go(ours: str, theirs: str, reason: Objection) -> None:
    assert objection(GOOD.replace(ours, theirs), TEXT, "it", "en") is reason


def test_days_and_months_are_no_names() -> None:
    english = "On Monday 4 January the breakfast room stays closed all day long, we are sorry."
    italian = "Lunedì 4 gennaio la sala della colazione resta chiusa tutto il giorno, ci scusiamo."
    german = "Am Montag, dem 4. Januar, bleibt der Frühstücksraum den ganzen Tag geschlossen."
    assert objection(italian, english, "en", "it") is None
    assert objection(english, italian, "it", "en") is None
    assert objection(german, italian, "it", "de") is None


@pytest.mark.parametrize(
    ("text", "language", "plain"),
    [
        ("From 9 am to 12:30 p.m., not 12 am", "en", "From 9:00 to 12:30, not 0:00"),
        ("until 3pm", "en", "until 15:00"),
        ("I am 9 amazed", "en", "I am 9 amazed"),
        ("de 9h à 18 h 30", "fr", "de 9:00 à 18:30"),
        ("alle 9", "it", "alle 9"),
    ],
)
def test_times_are_written_so_that_their_digits_can_stay(
    text: str, language: str, plain: str
) -> None:
    assert with_24_hours(text, language) == plain


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="ab A1.@/:-é\n€", max_size=60))
@example("1.abA")  # an address, whose number and what follows are a code
def test_what_is_put_away_comes_back(text: str) -> None:
    plain, kept = masked(text)
    assert unmasked(plain, kept) == text


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_no_other_number_passes(ours: int, theirs: int) -> None:
    text, worded = f"La camera costa {ours} euro a notte.", f"The room costs {theirs} euro a night."
    assert (objection(worded, text, "it", "en") is None) is (ours == theirs)

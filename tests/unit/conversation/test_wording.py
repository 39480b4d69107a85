"""Times, days and money are written as their readers do."""

import datetime as dt
from decimal import Decimal

import pytest

from app.conversation.language import Language
from app.conversation.wording import clock, day, lines, literal, money


@pytest.mark.parametrize(
    ("moment", "language", "written"),
    [
        (dt.time(15), Language.EN, "3 pm"),
        (dt.time(10, 30), Language.EN, "10:30 am"),
        (dt.time(12), Language.EN, "noon"),
        (dt.time(12, 30), Language.EN, "12:30 pm"),
        (dt.time(0), Language.EN, "midnight"),
        (dt.time(0, 5), Language.EN, "12:05 am"),
        (dt.time(15), Language.FR, "15 h"),
        (dt.time(7, 5), Language.FR, "7 h 05"),
        (dt.time(7, 30), Language.DE, "7:30"),
        (dt.time(15), Language.IT, "15:00"),
        (dt.time(22), Language.ES, "22:00"),
    ],
)
def test_times(moment: dt.time, language: Language, written: str) -> None:
    assert clock(moment, language) == written


@pytest.mark.parametrize(
    ("language", "written"),
    [
        (Language.IT, "8 maggio 2026"),
        (Language.EN, "8 May 2026"),
        (Language.DE, "8. Mai 2026"),
        (Language.FR, "8 mai 2026"),
        (Language.ES, "8 de mayo de 2026"),
    ],
)
def test_days(language: Language, written: str) -> None:
    assert day(dt.date(2026, 5, 8), language) == written


@pytest.mark.parametrize(
    ("language", "written"),
    [
        (Language.IT, "1.250,50\xa0€"),
        (Language.EN, "€1,250.50"),
        (Language.DE, "1.250,50\xa0€"),
        (Language.FR, "1\u202f250,50\xa0€"),
        (Language.ES, "1.250,50\xa0€"),
    ],
)
def test_money(language: Language, written: str) -> None:
    assert money(Decimal("1250.50"), "EUR", language) == written


def test_whatsapp_does_not_swallow_signs_of_a_value() -> None:
    assert literal("a*b*c") == "```a*b*c```"
    assert literal("lanterna-azzurra-26") == "lanterna-azzurra-26"


def test_lines_leaves_out_what_is_not_there() -> None:
    assert lines("a", None, "", "b") == "a\nb"

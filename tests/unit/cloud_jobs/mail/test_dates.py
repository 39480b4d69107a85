"""Dates in five languages; what can't be or could be two days is none."""

from datetime import UTC, date, datetime

import pytest
from babel.dates import format_date
from hypothesis import given
from hypothesis import strategies as st

from cloud_jobs.mail.dates import departure, in_order, one_date, same, stay

SENT = datetime(2026, 11, 20, 9, tzinfo=UTC)
LANGUAGES = ("it", "en", "de", "fr", "es")
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))


@given(DAYS, st.sampled_from(LANGUAGES), st.sampled_from(["full", "long", "medium"]))
def test_what_the_unicode_tables_write_is_read(day: date, language: str, width: str) -> None:
    assert one_date(format_date(day, width, locale=language), language, None) == day


@given(DAYS)
def test_the_american_order_is_read(day: date) -> None:
    assert one_date(format_date(day, "EEEE, MMMM d, y", locale="en_US"), "en", None) == day
    assert one_date(format_date(day, "EEEE, M/d/y", locale="en_US"), "en", None) in {day, None}


@given(DAYS, st.sampled_from(LANGUAGES))
def test_a_date_of_another_weekday_is_none(day: date, language: str) -> None:
    wrong = format_date(date(2024, 1, 1 + (day.weekday() + 1) % 7), "EEEE", locale=language)
    assert one_date(f"{wrong}, {format_date(day, 'long', locale=language)}", language, None) is None


@given(DAYS)
def test_numbers_that_may_be_two_days_are_read_only_where_they_are_one(day: date) -> None:
    text = f"{day:%d/%m/%Y}"
    twofold = day.day <= 12 and day.day != day.month
    assert one_date(text, "en", None) == (None if twofold else day)
    for language in ("it", "de", "fr", "es"):
        assert one_date(text, language, None) == day
    assert one_date(f"{day:%d.%m.%Y}", "en", None) == day


@pytest.mark.parametrize(
    ("text", "language", "day"),
    [
        ("Saturday, 05/06/2027", "en", date(2027, 6, 5)),
        ("Thursday, 05/06/2027", "en", date(2027, 5, 6)),
        ("Monday, 05/06/2027", "en", None),
        ("mar 3 mar 2026", "it", date(2026, 3, 3)),
        ("mar. 9 févr. 2027", "fr", date(2027, 2, 9)),
        ("1º de marzo de 2027", "es", date(2027, 3, 1)),
        ("9. Mrz 2027", "de", date(2027, 3, 9)),
        ("September 3rd, 2027", "en", date(2027, 9, 3)),
        ("2027-02-28", "en", date(2027, 2, 28)),
        ("2027-02-30", "en", None),
        ("31 February 2027", "en", None),
        ("31.04.27", "de", None),
        ("00/00/2027", "it", None),
        ("15 luglio 1867", "it", None),
        ("1 May 2027 - 3 May 2027", "en", None),
        ("tomorrow", "en", None),
        ("192.168.1.10", "en", None),
    ],
)
def test_a_date(text: str, language: str, day: date | None) -> None:
    assert one_date(text, language, SENT) == day


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Nov 20", date(2026, 11, 20)),
        ("Nov 19", date(2026, 11, 19)),  # our evening is another's morning
        ("Nov 18", date(2027, 11, 18)),
        ("FRI, FEB 26", date(2027, 2, 26)),
        ("SAT, FEB 26", date(2028, 2, 26)),
        ("SUN, FEB 26", None),  # in none of the years in reach
        ("Feb 29", date(2028, 2, 29)),
        ("Feb 30", None),
    ],
)
def test_a_year_is_inferred_from_when_the_mail_was_sent(text: str, day: date | None) -> None:
    assert one_date(text, "en", SENT) == day
    assert one_date(text, "en", None) is None


def test_a_stay_of_two_dates() -> None:
    assert stay("Apr 3 - Apr 6, 2026", "en", None) == (date(2026, 4, 3), date(2026, 4, 6))
    assert stay("Dec 30 - Jan 2, 2027", "en", None) == (date(2026, 12, 30), date(2027, 1, 2))
    assert stay("03.09.26 \u2013 31.09.26", "es", None) == (date(2026, 9, 3), None)
    assert stay("Apr 3", "en", SENT) == (None, None)


def test_a_departure_without_a_year_follows_the_arrival() -> None:
    assert departure("SAT, JAN 2", "en", date(2026, 12, 30)) == date(2027, 1, 2)
    assert departure("Jan 2", "en", date(2027, 1, 2)) == date(2028, 1, 2)
    assert departure("Jan 2", "en", None) is None
    assert departure("2 January 2027", "en", None) == date(2027, 1, 2)


def test_who_leaves_before_they_come_has_no_dates() -> None:
    one, two = date(2027, 1, 1), date(2027, 1, 2)
    assert in_order(one, two) == (one, two)
    assert in_order(two, one) == in_order(one, one) == (None, None)
    assert in_order(None, one) == (None, one)


def test_days_that_differ_are_none() -> None:
    one, two = date(2027, 1, 1), date(2027, 1, 2)
    assert same(one, None, one) == one
    assert same(one, two) is None
    assert same(None) is None

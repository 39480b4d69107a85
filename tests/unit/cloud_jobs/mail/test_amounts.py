"""Money and numbers of people."""

from decimal import Decimal

import pytest
from babel.numbers import format_currency
from hypothesis import given
from hypothesis import strategies as st

from cloud_jobs.mail.amounts import party, price


@given(
    st.decimals("0.00", "99999.99", places=2),
    st.sampled_from(["it", "en", "de", "fr", "es"]),
    st.sampled_from(["EUR", "GBP"]),
)
def test_what_the_unicode_tables_write_is_read(amount: Decimal, language: str, code: str) -> None:
    text = (
        format_currency(amount, code, locale=language).replace("\u202f", " ").replace("\xa0", " ")
    )
    assert price(text, language) == (amount, code)


@pytest.mark.parametrize(
    ("text", "language", "amount", "currency"),
    [
        ("€ 1,234.56", "it", "1234.56", "EUR"),
        ("1.234,56 €", "en", "1234.56", "EUR"),
        ("1.234 €", "it", "1234", "EUR"),
        ("1.234 €", "en", None, None),
        ("349,55", "it", "349.55", None),
        ("$327.98", "en", "327.98", None),
        ("TOTAL (USD) $327.98", "en", "327.98", "USD"),
        ("CHF 1'234.50", "de", "1234.50", "CHF"),
        ("XYZ 12", "en", "12", None),
        ("EUR 10 USD", "en", "10", None),
        ("-5,00 €", "it", None, None),
        ("10 € + 20 €", "it", None, None),
        ("12.34.56", "it", None, None),
        ("gratis", "it", None, None),
        (None, "it", None, None),
    ],
)
def test_a_price(text: str | None, language: str, amount: str | None, currency: str | None) -> None:
    assert price(text, language) == (Decimal(amount) if amount else None, currency)


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("3", 3),
        ("2 adults, 1 child", 3),
        ("3 guests (2 adults, 1 child)", 3),
        ("2 Adulti, 1 bambino", 3),
        ("1 Erwachsene:r, 2 Kinder", 3),
        ("2 adultes, 1 enfant", 3),
        ("2 adultos, 1 niño", 3),
        ("4 huéspedes", 4),
        ("2 adults, 1 pet", 2),
        ("0", None),
        ("101", None),
        ("²", None),
        ("two", None),
        (None, None),
    ],
)
def test_how_many_people(text: str | None, people: int | None) -> None:
    assert party(text) == people

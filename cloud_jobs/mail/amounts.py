"""Money and numbers of people, as the mails write them."""

import re
from decimal import Decimal

from babel import Locale
from babel.numbers import get_decimal_symbol, list_currencies

from cloud_jobs.mail.words import fold

_AMOUNT = re.compile(r"(?<![\d.,-])(?<!- )\d{1,9}(?:[ .,'\u2019]\d{1,3}){0,4}(?![\d.,]*\d)")
# "$" is the money of a dozen countries: only a code beside it says whose.
_SIGNS = {"€": "EUR", "£": "GBP"}
_CODE = re.compile(r"\b[A-Z]{3}\b")
_CURRENCIES = frozenset(list_currencies())

_COUNTED = re.compile(r"(?<![\d.,])(\d{1,3}) {0,2}([^\W\d]{3,20})")
# How the words begin, folded. A total says it all; where there is none, its parts are added up.
_TOTAL = ("guest", "ospit", "gast", "gaste", "voyageur", "huesped", "person", "traveler", "client")
_PARTS = (
    *("adult", "erwachsen", "child", "kid", "bambin", "kind", "enfant", "nino", "nina"),
    *("infant", "neonat", "kleinkind", "bebe", "baby", "babies", "ragazz", "jeune", "teen"),
)


def price(text: str | None, language: str, label: str = "") -> tuple[Decimal | None, str | None]:
    """Amount and currency (ISO 4217) of ``€ 1,234.56``; a code may stand in ``label`` instead."""
    amounts = _AMOUNT.findall(text or "")
    if text is None or len(amounts) != 1:
        return None, None
    amount = _decimal(amounts[0], language)
    return (amount, _currency(f"{text} {label}")) if amount is not None else (None, None)


def party(text: str | None) -> int | None:
    """How many people ``2 adults, 1 child`` are, infants too."""
    if text is None:
        return None
    if text.strip().isdecimal() and len(text.strip()) <= 3:
        return _people(int(text))
    counted = [(int(number), fold(word)) for number, word in _COUNTED.findall(text)]
    totals = [number for number, word in counted if word.startswith(_TOTAL)]
    parts = [number for number, word in counted if word.startswith(_PARTS)]
    return _people(totals[0] if totals else sum(parts))


def _people(number: int) -> int | None:
    return number if 1 <= number <= 100 else None


def _currency(text: str) -> str | None:
    codes = {code for code in _CODE.findall(text) if code in _CURRENCIES}
    named = codes or {code for sign, code in _SIGNS.items() if sign in text}
    return named.pop() if len(named) == 1 else None


def _decimal(written: str, language: str) -> Decimal | None:
    """By what stands in it; where that leaves a doubt (``1.234``), by the language."""
    digits = re.sub(r"[ '\u2019]", "", written)
    marks = [mark for mark in digits if mark in ".,"]
    if not marks:
        return Decimal(digits)
    *whole, last = re.split(r"[.,]", digits)
    if len(last) == 3:
        # Thousands to the end: of one mark only, and not of the one that begins the cents.
        ours = get_decimal_symbol(Locale.parse(language))
        return Decimal("".join([*whole, last])) if set(marks) - {ours} == set(marks[:1]) else None
    if (
        marks[-1] in marks[:-1]
        or len(set(marks[:-1])) > 1
        or any(len(one) != 3 for one in whole[1:])
    ):
        return None
    return Decimal(f"{''.join(whole)}.{last}")

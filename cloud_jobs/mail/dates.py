"""Dates as people write them in five languages; None for what can't be, or could be two days.

Month and weekday names are those of the Unicode CLDR (by babel).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

from babel import Locale

from cloud_jobs.mail.words import fold

# Short forms that mails have beside CLDR's.
_MORE_MONTHS = {
    "it": {"sett": 9},
    "en": {"sept": 9},
    "de": {"sep": 9, "mar": 3, "mrz": 3, "jun": 6, "jul": 7},
    "fr": {"fev": 2, "juill": 7},
    "es": {"sep": 9, "set": 9, "setiembre": 9},
}
_NUMBERS = re.compile(
    r"(?<!\d)(?:(?P<iso>\d{4})-(?P<im>\d{2})-(?P<id>\d{2})"
    r"|(?P<a>\d{1,2})(?P<sep>[./-])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4}|\d{2}))(?![\d./-]*\d)"
)
_WEEKDAY = re.compile(r"([^\W\d]{2,12})\.?,? {0,3}$")
# A site sells nights up to two years ahead; a mail may be a day behind the property's calendar.
_AHEAD = timedelta(days=2 * 366)
_BEHIND = timedelta(days=1)


@dataclass(frozen=True)
class Written:
    """A day as written: perhaps without a year, perhaps with its weekday (Monday is 0)."""

    day: int
    month: int
    year: int | None
    weekday: int | None

    def in_year(self, year: int) -> date | None:
        """That day of that year, unless there is none or it is another weekday's."""
        try:
            found = date(year, self.month, self.day)
        except ValueError:
            return None
        return found if self.weekday in {None, found.weekday()} and 2000 <= year < 2100 else None

    def after(self, day: date) -> date | None:
        """Itself; without a year, the first such day from ``day`` on that is in reach."""
        if self.year is not None:
            return self.in_year(self.year)
        years = (self.in_year(day.year + more) for more in range(4))
        found = next((one for one in years if one and one >= day), None)
        return found if found and found - day <= _AHEAD else None


def written(text: str, language: str) -> list[Written]:
    """All dates in ``text`` (of a line or so), in their order."""
    text = text[:300].lower()
    found = [*_by_name(text, language), *_by_number(text, language)]
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def one_date(text: str | None, language: str, sent_at: datetime | None) -> date | None:
    """The one date of ``text``. Without a year, the next after the mail was sent."""
    found = written(text or "", language)
    return _resolved(found[0], sent_at) if len(found) == 1 else None


def departure(text: str | None, language: str, arrival: date | None) -> date | None:
    """The one date of ``text``. Without a year, the next after the arrival."""
    found = written(text or "", language)
    if len(found) != 1:
        return None
    if found[0].year is not None:
        return found[0].in_year(found[0].year)
    return found[0].after(arrival + timedelta(days=1)) if arrival else None


def stay(text: str, language: str, sent_at: datetime | None) -> tuple[date | None, date | None]:
    """Arrival and departure of ``Apr 3 - Apr 6, 2026``: a year said once is of the last."""
    found = written(text, language)
    if len(found) != 2:
        return None, None
    first, last = found
    departure = _resolved(last, sent_at)
    if first.year is None and last.year is not None and departure:
        before = (first.in_year(departure.year - less) for less in range(2))
        return next((one for one in before if one and one < departure), None), departure
    return _resolved(first, sent_at), departure


def same(*days: date | None) -> date | None:
    """The day that all name that name one."""
    named = {day for day in days if day}
    return named.pop() if len(named) == 1 else None


def in_order(arrival: date | None, departure: date | None) -> tuple[date | None, date | None]:
    """Both, unless the guest would leave before they come: then nobody knows which is wrong."""
    if arrival and departure and departure <= arrival:
        return None, None
    return arrival, departure


def _resolved(one: Written, sent_at: datetime | None) -> date | None:
    if one.year is not None:
        return one.in_year(one.year)
    return one.after(sent_at.date() - _BEHIND) if sent_at else None


def _by_name(text: str, language: str) -> Iterator[tuple[int, Written]]:
    pattern, months = _months(language)
    for match in pattern.finditer(text):
        day = match["d1"] or match["d2"]
        year = match["y1"] or match["y2"]
        month = months[fold(match["m1"] or match["m2"])]
        weekday = _weekday(text[: match.start()], language)
        yield match.start(), Written(int(day), month, int(year) if year else None, weekday)


def _by_number(text: str, language: str) -> Iterator[tuple[int, Written]]:
    for match in _NUMBERS.finditer(text):
        weekday = _weekday(text[: match.start()], language)
        if match["iso"]:
            year, month, day = int(match["iso"]), int(match["im"]), int(match["id"])
            yield match.start(), Written(day, month, year, weekday)
            continue
        year = int(match["y"]) + (2000 if len(match["y"]) == 2 else 0)
        first, second = int(match["a"]), int(match["b"])
        day_first = Written(first, second, year, weekday)
        month_first = Written(second, first, year, weekday)
        yield match.start(), _decided(day_first, month_first, match["sep"], language)


def _decided(day_first: Written, month_first: Written, separator: str, language: str) -> Written:
    """Only English has both orders, and with slashes only. Which it is, is decided by what can be:
    a thirteenth month can't, nor a Tuesday that is a Friday. What could be both is no day."""
    if language != "en" or separator == ".":
        return day_first
    possible = {
        found: one
        for one in (day_first, month_first)
        if one.year is not None and (found := one.in_year(one.year))
    }
    return next(iter(possible.values())) if len(possible) == 1 else Written(0, 0, 0, None)


def _weekday(before: str, language: str) -> int | None:
    """The weekday that ends ``before``, by its name or how the language shortens it."""
    found = _WEEKDAY.search(before[-20:])
    return _weekdays(language).get(fold(found[1])) if found else None


@cache
def _months(language: str) -> tuple[re.Pattern[str], dict[str, int]]:
    names: dict[str, int] = {}
    spelled: set[str] = set()
    for width in ("wide", "abbreviated"):
        for number, name in Locale.parse(language).months["format"][width].items():
            names[fold(name)] = number
            spelled.add(name.lower().rstrip("."))
    for name, number in _MORE_MONTHS[language].items():
        names.setdefault(name, number)
    spelled |= set(names)
    month = "|".join(re.escape(name) for name in sorted(spelled, key=len, reverse=True))
    ordinal = r"(?:\.|º|°|er|st|nd|rd|th)?"
    day_first = (
        rf"(?<![\d.,:/-])(?P<d1>\d{{1,2}}){ordinal} {{0,3}}(?:de |di |of )?"
        rf"(?P<m1>{month})\b\.?(?:,? {{1,3}}(?:de |del )?(?P<y1>\d{{4}})\b)?"
    )
    # "mar 3 mar" is a Tuesday in Italian, Spanish and French: only English has the month first.
    month_first = (
        rf"\b(?P<m2>{month if language == 'en' else '(?!)'})\b\.? {{1,3}}"
        rf"(?P<d2>\d{{1,2}}){ordinal}(?![\d:.])(?:,? {{1,3}}(?P<y2>\d{{4}})\b)?"
    )
    pattern = f"{day_first}|{month_first}"
    return re.compile(pattern), names


@cache
def _weekdays(language: str) -> dict[str, int]:
    """CLDR counts from Monday as well."""
    days = Locale.parse(language).days["format"]
    return {
        fold(name): number
        for width in ("wide", "abbreviated", "short")
        for number, name in days[width].items()
    }

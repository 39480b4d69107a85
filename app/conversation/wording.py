"""Facts written as their readers write them: times, days, money, and the host's own texts."""

import datetime as dt
from decimal import Decimal
from typing import Final

from babel.dates import format_date
from babel.numbers import format_currency

from app.conversation.language import Language
from app.conversation.phrases import Phrases
from app.conversation.property import Property
from app.conversation.property_fields import LocalText

# Signs that WhatsApp takes for bold, italic, struck out and monospace, and then swallows.
_FORMATTING: Final = frozenset("*_~`")
# Guests in Europe: "4 December", where "en" alone would be American.
_LOCALES: Final = {language: str(language) for language in Language} | {Language.EN: "en_GB"}


def clock(time: dt.time, language: Language) -> str:
    """A time of day as its readers write it: 15:00, "3 pm", "15 h"."""
    if language is Language.EN:
        return _twelve_hours(time)
    if language is Language.FR:
        return f"{time.hour} h {time.minute:02}" if time.minute else f"{time.hour} h"
    return f"{time.hour}:{time.minute:02}"


def _twelve_hours(time: dt.time) -> str:
    if time.minute == 0 and time.hour in (0, 12):
        return "noon" if time.hour else "midnight"  # nobody is sure what 12 pm is
    hour, half = (time.hour - 1) % 12 + 1, "am" if time.hour < 12 else "pm"
    return f"{hour}:{time.minute:02} {half}" if time.minute else f"{hour} {half}"


def day(date: dt.date, language: Language) -> str:
    """A date in words: "4 December 2026"."""
    return format_date(date, "long", locale=_LOCALES[language])


def money(amount: Decimal, currency: str, language: Language) -> str:
    """An amount of a currency (ISO 4217): "€25.00", "25,00 €"."""
    return format_currency(amount, currency, locale=_LOCALES[language])


def local(text: LocalText, facts: Property, phrases: Phrases) -> str:
    """The text in the guest's language; else in English, or as the host wrote it, and says so."""
    for language in (phrases.language, Language.EN, facts.default_language):
        if language in text:
            break
    if language is phrases.language:
        return text[language]
    name = phrases.say(f"language_{language}")
    return phrases.say("as_written", language=name, text=text[language])


def local_if_any(text: LocalText | None, facts: Property, phrases: Phrases) -> str | None:
    """The same of a text that the host may have left out."""
    return local(text, facts, phrases) if text else None


def literal(value: str) -> str:
    """A value to be copied, so that WhatsApp shows every sign of it."""
    return f"```{value}```" if _FORMATTING & set(value) and "`" not in value else value


def lines(*found: str | None) -> str:
    """Those lines that there is something in."""
    return "\n".join(line for line in found if line)

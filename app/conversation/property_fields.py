"""How each kind of value in `property.yml` is written, and what its host is told if it isn't."""

import datetime as dt
import re
import zoneinfo
from decimal import Decimal
from typing import Annotated, Final

import phonenumbers
from babel.numbers import is_currency
from pydantic import (
    AfterValidator,
    BeforeValidator,
    StringConstraints,
    ValidationInfo,
)

from app.conversation.language import Language

# One reply may hold six texts (three answers, amenities with the house rules), and WhatsApp takes
# 4096 characters: 6 x 550 and the phrases.
_TEXT_CHARS: Final = 550
_TIME: Final = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)")
_EMERGENCY: Final = re.compile(r"\+?\d[\d ]{1,14}")  # E.164 has 15 digits at most, the shortest 3
_PRICE: Final = re.compile(r"(\d{1,6})(?:[.,](\d{1,2}))?")
DEFAULT_LANGUAGE: Final = "default_language"


def _time(value: object) -> dt.time:
    if isinstance(value, str) and (found := _TIME.fullmatch(value)):
        return dt.time(int(found[1]), int(found[2]))
    raise ValueError("write a time of day as hours and minutes, like 15:00")


def _time_zone(value: object) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(str(value))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("write a time zone as continent and city, like Europe/Rome") from None


def _emergency_number(value: str) -> str:
    if not _EMERGENCY.fullmatch(value):
        raise ValueError("write the number to call in an emergency, digits only, like 112")
    return value


def _phone(value: str) -> str:
    try:
        if phonenumbers.is_possible_number(phonenumbers.parse(value, None)):
            return value
    except phonenumbers.NumberParseException:
        pass
    raise ValueError("write the whole phone number with + and the country, like +39 000 0000000")


def _language(value: object) -> Language:
    try:
        return Language(str(value))
    except ValueError:
        raise ValueError("write one of it, en, de, fr, es") from None


def _price(value: object) -> Decimal:
    if isinstance(value, str) and (found := _PRICE.fullmatch(value)):
        return Decimal(f"{found[1]}.{found[2] or 0}")
    raise ValueError("write a price as a number without the currency, like 25 or 12.50")


def _currency(value: object) -> str:
    if isinstance(value, str) and is_currency(value):
        return value
    raise ValueError("write the currency as its three capital letters, like EUR")


def _by_language(value: object, info: ValidationInfo) -> object:
    """A plain text is in the default language; a mapping has one text a language."""
    default: Language | None = (info.context or {}).get(DEFAULT_LANGUAGE)
    if isinstance(value, str):
        return {default or Language.EN: value}  # without a default there is no Property anyway
    if isinstance(value, dict) and default and default not in value:
        raise ValueError(f"add the text in your default language, {default}")
    return value


Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
_Prose = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=_TEXT_CHARS)
]
Time = Annotated[dt.time, BeforeValidator(_time)]
TimeZone = Annotated[zoneinfo.ZoneInfo, BeforeValidator(_time_zone)]
OneLanguage = Annotated[Language, BeforeValidator(_language)]
EmergencyNumber = Annotated[Line, AfterValidator(_emergency_number)]
Phone = Annotated[Line, AfterValidator(_phone)]
Price = Annotated[Decimal, BeforeValidator(_price)]
"""What one thing costs, in the property's currency; 0 is free of charge."""
Currency = Annotated[str, BeforeValidator(_currency)]
"""An ISO 4217 code."""
LocalText = Annotated[
    dict[OneLanguage, _Prose], BeforeValidator(_by_language, json_schema_input_type=str)
]
"""One text in one or several languages, always in the property's default language."""

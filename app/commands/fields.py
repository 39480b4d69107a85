"""How the values of a command are written, and the one base of all payloads."""

from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo

from babel.numbers import is_currency
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from app.guests.phones import possible_e164
from app.settings_values import time_zones


class Payload(BaseModel):
    """What a command asks for: nothing but what its schema names, each of its own type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


def _storable(value: str) -> str:
    # JSON can write half of a pair of surrogates, which no text in UTF-8 can hold.
    if any(0xD800 <= ord(sign) <= 0xDFFF or sign == "\0" for sign in value):
        raise ValueError("holds a sign that is no text")
    return value


def _currency(value: str) -> str:
    if not is_currency(value):
        raise ValueError("write the currency as its three capital letters, like EUR")
    return value


def _time_zone(value: str) -> str:
    if value not in time_zones():
        raise ValueError("write a time zone as continent and city, like Europe/Rome")
    return ZoneInfo(value).key


# Constraints before the function: behind it they would not strip.
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_storable),
]
Message = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4096),
    AfterValidator(_storable),
]
"""4096 characters are what WhatsApp takes."""
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,100}$")]
"""A name that machines give: an id, a booking's number, a channel."""
Phone = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(possible_e164),
    Field(json_schema_extra={"format": "phone", "examples": ["+390000000001"]}),
]
"""With + and the country; kept as E.164."""
GuestIndex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A guest as the cloud knows them: the blind index of their phone, in hex."""
Email = Annotated[
    str, StringConstraints(pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}$"), AfterValidator(_storable)
]
LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
"""ISO 639-1."""
TimeZone = Annotated[
    str,
    AfterValidator(_time_zone),
    Field(json_schema_extra={"format": "time-zone", "examples": ["Europe/Rome"]}),
]
Money = Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2)]
Currency = Annotated[
    str, AfterValidator(_currency), Field(json_schema_extra={"format": "currency"})
]
"""An ISO 4217 code."""
FlightNumber = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,3} ?[0-9]{1,4}[A-Z]?$")]
Moment = AwareDatetime

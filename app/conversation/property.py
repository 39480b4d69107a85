"""The facts of the property, as its host wrote them in `property.yml`.

What a host left out is None here, and the concierge then calls a person: no default is a fact.
`docs/property.md` tells hosts how to fill the file in.
"""

import datetime as dt
import difflib
import re
import zoneinfo
from pathlib import Path
from typing import Annotated, Final, Self

import phonenumbers
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ErrorDetails

from app.conversation.hostfile import HostFile, HostFileError
from app.conversation.language import Language

# One reply may hold all six texts, and WhatsApp takes 4096 characters: 6 x 550 and the phrases.
_TEXT_CHARS: Final = 550
_TIME: Final = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)")
_EMERGENCY: Final = re.compile(r"\+?\d[\d ]{1,14}")  # E.164 has 15 digits at most, the shortest 3
_DEFAULT_LANGUAGE: Final = "default_language"


class PropertyError(Exception):
    """`property.yml` can't be used; the message tells its host what to do."""


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


_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
_Prose = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=_TEXT_CHARS)
]
_Time = Annotated[dt.time, BeforeValidator(_time)]
_Language = Annotated[Language, BeforeValidator(_language)]


def _by_language(value: object, info: ValidationInfo) -> object:
    """A plain text is in the default language; a mapping has one text a language."""
    default: Language | None = (info.context or {}).get(_DEFAULT_LANGUAGE)
    if isinstance(value, str):
        return {default or Language.EN: value}  # without a default there is no Property anyway
    if isinstance(value, dict) and default and default not in value:
        raise ValueError(f"add the text in your default language, {default}")
    return value


LocalText = Annotated[
    dict[_Language, _Prose], BeforeValidator(_by_language, json_schema_input_type=str)
]
"""One text in one or several languages, always in the property's default language."""


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )


class CheckIn(_Section):
    """When guests may arrive, and how they get in."""

    from_: _Time = Field(alias="from")
    until: _Time | None = None
    how: LocalText | None = None


class CheckOut(_Section):
    """When guests must have left, and what to do then."""

    until: _Time
    how: LocalText | None = None


class Wifi(_Section):
    """The guests' network; `details` instead of a password where none is needed."""

    network: Annotated[_Line, Field(max_length=32)]  # the longest an SSID may be
    password: SecretStr | None = Field(default=None, min_length=1, max_length=63)  # WPA's own limit
    details: LocalText | None = None


class Breakfast(_Section):
    """When breakfast is served; where, what it costs and the rest in `details`."""

    from_: _Time | None = Field(default=None, alias="from")
    until: _Time | None = None
    details: LocalText | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.from_ is None) != (self.until is None):
            raise ValueError("write both from and until, or neither")
        if self.from_ is None and self.details is None:
            raise ValueError("write from and until, or details, or leave breakfast out")
        return self


class Property(_Section):
    """Everything the concierge may tell a guest."""

    name: _Line
    default_language: _Language
    time_zone: Annotated[zoneinfo.ZoneInfo, BeforeValidator(_time_zone)]
    emergency_number: Annotated[_Line, AfterValidator(_emergency_number)]
    address: _Line | None = None
    desk_phone: Annotated[_Line, AfterValidator(_phone)] | None = None
    check_in: CheckIn | None = None
    check_out: CheckOut | None = None
    wifi: Wifi | None = None
    parking: LocalText | None = None
    breakfast: Breakfast | None = None
    house_rules: LocalText | None = None


_SECTIONS: Final[dict[tuple[str, ...], type[_Section]]] = {
    (): Property,
    ("check_in",): CheckIn,
    ("check_out",): CheckOut,
    ("wifi",): Wifi,
    ("breakfast",): Breakfast,
}


_ADVICE: Final = {
    "missing": "add this field; there is no safe guess for it",
    "string_type": "write one text here, not a list or fields",
    "string_too_long": "shorten this to {max_length} characters",
    "too_long": "shorten this to {max_length} characters",
}


def load(path: Path) -> Property:
    """Read a property's facts.

    :raises PropertyError: with one line for each mistake: where it is, and what to do.
    """
    try:
        file = HostFile.read(path)
    except HostFileError as error:
        raise PropertyError(str(error)) from None
    default = file.data.get(_DEFAULT_LANGUAGE)
    context = {_DEFAULT_LANGUAGE: Language(default) if default in list(Language) else None}
    try:
        return Property.model_validate(file.data, context=context)
    except ValidationError as error:
        # Without the input: it may be the Wi-Fi's password, and this message goes to the log.
        details = error.errors(include_url=False, include_input=False)
    mistakes = "\n".join(f"- {_mistake(file, detail)}" for detail in details)
    raise PropertyError(f"{path} can't be used yet:\n{mistakes}")


def _mistake(file: HostFile, error: ErrorDetails) -> str:
    """One of pydantic's errors as "line 7, check_in.from: what to do"."""
    place = tuple(part for part in error["loc"] if part != "[key]")
    line = file.line(place)
    where = ".".join(map(str, place)) or "the file"
    return f"line {line}, {where}: {_advice(error)}" if line else f"{where}: {_advice(error)}"


def _advice(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return _unknown_field(error["loc"])
        case "model_type" | "dict_type":
            return _fields_wanted(error["loc"])
        case "value_error":
            return str(context["error"])
        case kind:
            return _ADVICE[kind].format_map(context) if kind in _ADVICE else error["msg"]


def _field_names(section: type[_Section]) -> list[str]:
    return [field.alias or name for name, field in section.model_fields.items()]


def _unknown_field(place: tuple[int | str, ...]) -> str:
    *around, name = map(str, place)
    names = _field_names(_SECTIONS[tuple(around)])
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the fields here are {', '.join(names)}"
    return f"there is no such field; {hint}"


def _fields_wanted(place: tuple[int | str, ...]) -> str:
    section = _SECTIONS.get(tuple(map(str, place)))
    if section is None:
        return "write one text here, or one text a language, indented below: it, en, de, fr, es"
    names = ", ".join(_field_names(section))
    return f"write its fields on lines of their own, indented below: {names}"

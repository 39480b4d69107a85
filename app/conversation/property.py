"""The facts of the property, as its host wrote them in `property.yml`.

What a host left out is None here, and the agents then call a person: no default is a fact.
`docs/property.md` tells hosts how to fill the file in.
"""

import difflib
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails

from app.conversation.language import Language
from app.conversation.property_fields import (
    DEFAULT_LANGUAGE,
    Currency,
    EmergencyNumber,
    Line,
    LocalText,
    OneLanguage,
    Phone,
    Price,
    Time,
    TimeZone,
)
from app.hostfile import HostFile, HostFileError


class PropertyError(Exception):
    """`property.yml` can't be used; the message tells its host what to do."""


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )


class CheckIn(_Section):
    """When guests may arrive, and how they get in."""

    from_: Time = Field(alias="from")
    until: Time | None = None
    how: LocalText | None = None


class CheckOut(_Section):
    """When guests must have left, and what to do then."""

    until: Time
    how: LocalText | None = None


class Wifi(_Section):
    """The guests' network; `details` instead of a password where none is needed."""

    network: Annotated[Line, Field(max_length=32)]  # the longest an SSID may be
    password: SecretStr | None = Field(default=None, min_length=1, max_length=63)  # WPA's own limit
    details: LocalText | None = None


class Breakfast(_Section):
    """When breakfast is served; where, what it costs and the rest in `details`."""

    from_: Time | None = Field(default=None, alias="from")
    until: Time | None = None
    details: LocalText | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.from_ is None) != (self.until is None):
            raise ValueError("write both from and until, or neither")
        if self.from_ is None and self.details is None:
            raise ValueError("write from and until, or details, or leave breakfast out")
        return self


class EarlyCheckIn(_Section):
    """The room before check-in time."""

    from_: Time = Field(alias="from")
    price: Price
    details: LocalText | None = None


class LateCheckOut(_Section):
    """The room after check-out time."""

    until: Time
    price: Price
    details: LocalText | None = None


class ExtraGuest(_Section):
    """One more person in the room; the price is for a night."""

    price: Price
    details: LocalText | None = None


class Transfer(_Section):
    """A ride to the house or away from it."""

    price: Price
    details: LocalText | None = None


class Extras(_Section):
    """What a guest may be offered at a price. What isn't here the desk decides, each time."""

    early_checkin: EarlyCheckIn | None = None
    late_checkout: LateCheckOut | None = None
    extra_guest: ExtraGuest | None = None
    transfer: Transfer | None = None


class Property(_Section):
    """Everything the agents may tell a guest."""

    name: Line
    default_language: OneLanguage
    time_zone: TimeZone
    emergency_number: EmergencyNumber
    address: Line | None = None
    desk_phone: Phone | None = None
    check_in: CheckIn | None = None
    check_out: CheckOut | None = None
    wifi: Wifi | None = None
    parking: LocalText | None = None
    breakfast: Breakfast | None = None
    house_rules: LocalText | None = None
    directions: LocalText | None = None
    luggage: LocalText | None = None
    amenities: LocalText | None = None
    pets: LocalText | None = None
    local_tips: LocalText | None = None
    transport: LocalText | None = None
    invoice: LocalText | None = None
    currency: Currency | None = None
    extras: Extras | None = None

    @model_validator(mode="after")
    def _prices_have_a_currency(self) -> Self:
        if self.extras is not None and self.currency is None:
            raise ValueError("add currency, which the prices of your extras are in, like EUR")
        return self


_SECTIONS: Final[dict[tuple[str, ...], type[_Section]]] = {
    (): Property,
    ("check_in",): CheckIn,
    ("check_out",): CheckOut,
    ("wifi",): Wifi,
    ("breakfast",): Breakfast,
    ("extras",): Extras,
    ("extras", "early_checkin"): EarlyCheckIn,
    ("extras", "late_checkout"): LateCheckOut,
    ("extras", "extra_guest"): ExtraGuest,
    ("extras", "transfer"): Transfer,
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
    default = file.data.get(DEFAULT_LANGUAGE)
    context = {DEFAULT_LANGUAGE: Language(default) if default in list(Language) else None}
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

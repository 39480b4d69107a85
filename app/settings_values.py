"""How the values of settings are written: lists, durations, and what stands for none yet."""

import re
from datetime import timedelta
from email.errors import MessageError
from email.headerregistry import Address
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

import phonenumbers
from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

PLACEHOLDERS = ("change-me", "changeme")


@cache
def time_zones() -> frozenset[str]:
    """The names of all time zones: found by walking through hundreds of files, so once."""
    return frozenset(available_timezones())


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _seconds(value: object) -> object:
    """Durations are given in seconds; ISO 8601 (``PT20S``) is understood as well."""
    return float(value) if isinstance(value, str) and value.replace(".", "", 1).isdigit() else value


def _listens_on(addresses: list[str]) -> list[str]:
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"{address!r} is not host:port")
    if not addresses:
        raise ValueError("write at least one host:port")
    return addresses


def _known_level(value: str) -> str:
    if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return value.upper()


def _whole_url(value: SecretStr) -> SecretStr:
    plain = value.get_secret_value()
    if plain and not re.match(r"https?://[^/\s]+/", plain):
        raise ValueError("copy the whole address, with https:// and all that follows")
    return value


def _phone(value: str) -> str:
    try:
        number = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise ValueError("write each phone with + and the country, like +39 000 0000000")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _mail_address(value: str) -> str:
    if not value:
        return value
    try:
        found = Address(addr_spec=value)
    except (ValueError, IndexError, MessageError):  # it raises whatever its parser comes upon
        found = Address()
    if not found.username or not found.domain:
        raise ValueError("write a mail address without a name, like desk@example.com")
    return value


ListenAddresses = Annotated[
    list[str], NoDecode, BeforeValidator(_split), AfterValidator(_listens_on)
]
LogLevel = Annotated[str, AfterValidator(_known_level)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
MailAddresses = Annotated[list[MailAddress], NoDecode, BeforeValidator(_split)]
Phones = Annotated[list[Annotated[str, AfterValidator(_phone)]], NoDecode, BeforeValidator(_split)]
"""As E.164."""
SecretUrl = Annotated[SecretStr, AfterValidator(_whole_url)]
"""A web address that whoever knows it may use; or empty."""
Duration = Annotated[timedelta, BeforeValidator(_seconds)]


def is_placeholder(value: SecretStr | str) -> bool:
    """Whether nothing was set, or only what an example holds in its place."""
    plain = value if isinstance(value, str) else value.get_secret_value()
    return not plain.strip() or any(word in plain.lower() for word in PLACEHOLDERS)

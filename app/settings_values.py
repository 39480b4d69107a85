"""How the values of settings are written: lists, durations, and what stands for none yet."""

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import NoDecode

PLACEHOLDERS = ("change-me", "changeme")


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _seconds(value: object) -> object:
    """Durations are given in seconds; ISO 8601 (``PT20S``) is understood as well."""
    return float(value) if isinstance(value, str) and value.replace(".", "", 1).isdigit() else value


CommaSeparated = Annotated[list[str], NoDecode, BeforeValidator(_split)]
Duration = Annotated[timedelta, BeforeValidator(_seconds)]


def is_placeholder(value: SecretStr | str) -> bool:
    """Whether nothing was set, or only what an example holds in its place."""
    plain = value if isinstance(value, str) else value.get_secret_value()
    return not plain.strip() or any(word in plain.lower() for word in PLACEHOLDERS)

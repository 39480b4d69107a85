"""Writes docs/settings.md from `app.settings.Settings`: ``python docs/generate_settings.py``."""

from datetime import timedelta
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from app.settings import NEEDED, Settings

PAGE = Path(__file__).with_name("settings.md")
HEAD = """\
# Settings

Every program of Portiere (`portiere serve`, `portiere work` …) reads these from the environment, or
from the file that `PORTIERE_ENV_FILE` names (`NAME=value` a line; keep it 0600). Durations are in
seconds. `portiere check` says whether they are good; `portiere keys` makes the two keys.
Made by `docs/generate_settings.py` from `app/settings.py`.

| variable | what it is | default |
|---|---|---|
"""


def _default(name: str, field: FieldInfo) -> str:
    for provider, names in NEEDED.items():
        if name in names:
            return f"must be set for `{provider}`"
    value = field.default
    if value is PydanticUndefined:
        return "must be set"
    if value is None:
        return "none"
    if isinstance(value, timedelta):
        return f"`{value.total_seconds():g}`"
    if isinstance(value, list):
        value = ",".join(value)
    plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return f"`{plain}`" if plain else "empty"


def page() -> str:
    """The whole page."""
    rows = [
        f"| `PORTIERE_{name.upper()}` | {field.description} | {_default(name, field)} |"
        for name, field in Settings.model_fields.items()
    ]
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())

"""What the system says by itself: message templates, one YAML file each, in five languages.

A host may replace any file by one of the same name in a folder of theirs, and writes into it under
which name the provider has approved the template: only so may it go outside the 24-hour window.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Formatter
from typing import Annotated, Final, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.messages.outgoing import Template

LANGUAGES: Final = ("it", "en", "de", "fr", "es")
# Goes in place of an answer that comes after the window has closed.
FALLBACK: Final = "handed_to_person"
# To the desk's own phone.
DESK_ALERT: Final = "desk_alert"
# Every text may name the property.
PROPERTY: Final = "property"
# WhatsApp's own limit of a template's body.
LONGEST_TEXT: Final = 1024


class CatalogueError(Exception):
    """The templates can't be used; the message says where and what to do."""


class Purpose(StrEnum):
    """A service is part of the stay; marketing needs the guest's consent."""

    SERVICE = "service"
    MARKETING = "marketing"


@dataclass(frozen=True)
class TemplateReference:
    """What the provider knows a template by. ``parameters``: its variables, in their order."""

    spoki_id: int | None
    cloud_name: str | None
    parameters: tuple[str, ...]


class _CloudApproval(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)
    languages: list[str]


class _Approved(BaseModel):
    model_config = ConfigDict(extra="forbid")

    spoki: dict[str, int] = {}
    whatsapp_cloud: _CloudApproval | None = None

    @model_validator(mode="after")
    def _known_languages(self) -> Self:
        cloud = self.whatsapp_cloud.languages if self.whatsapp_cloud else []
        if unknown := [one for one in (*self.spoki, *cloud) if one not in LANGUAGES]:
            raise ValueError(f"{unknown[0]} is none of {', '.join(LANGUAGES)}")
        return self


class _File(BaseModel):
    """One template, as its file has it."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose
    variables: list[str] = []
    text: dict[str, Annotated[str, Field(max_length=LONGEST_TEXT)]]
    approved: _Approved = _Approved()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        wanted = {*self.variables, PROPERTY}
        if missing := [language for language in LANGUAGES if language not in self.text]:
            raise ValueError(f"text: add {', '.join(missing)}")
        if unknown := [language for language in self.text if language not in LANGUAGES]:
            raise ValueError(f"text: {unknown[0]} is none of {', '.join(LANGUAGES)}")
        for language, text in self.text.items():
            if mistake := _mistake(text, set(self.variables), wanted):
                raise ValueError(f"text.{language}: {mistake}")
        return self


def _mistake(text: str, needed: set[str], allowed: set[str]) -> str | None:
    if not text.strip():
        return "write a text"
    try:
        parts = list(Formatter().parse(text.strip()))
    except ValueError as error:
        return f"{error}; write a brace that is meant as one twice"
    named = [name for _, name, form, conversion in parts if name is not None]
    plain = all(not form and not conversion for _, _, form, conversion in parts)
    if not plain or any(name not in allowed for name in named):
        return f"the variables here are {', '.join(f'{{{name}}}' for name in sorted(allowed))}"
    if forgotten := sorted(needed - set(named)):
        return f"it never says {{{forgotten[0]}}}"
    # WhatsApp approves no template that begins or ends with a variable.
    if parts[0][0] == "" or parts[-1][1] is not None:
        return "put a word before its first variable, and a word or a full stop after its last"
    return None


class Catalogue:
    """The templates of a property; made by :func:`load`."""

    def __init__(self, files: Mapping[str, _File], property_name: str, provider: str) -> None:
        self._files = files
        self._property_name = property_name
        self._provider = provider

    @property
    def names(self) -> tuple[str, ...]:
        """Every template's name."""
        return tuple(self._files)

    def is_marketing(self, name: str) -> bool:
        """Whether it needs the guest's consent."""
        return self._file(name).purpose is Purpose.MARKETING

    def approved(self, name: str) -> frozenset[str]:
        """The languages in which the provider has approved it."""
        approved = self._file(name).approved
        if self._provider == "spoki":
            return frozenset(approved.spoki)
        cloud = approved.whatsapp_cloud
        return frozenset(cloud.languages) if cloud else frozenset()

    def reference(self, name: str, language: str) -> TemplateReference:
        """What the provider knows it by in ``language``."""
        file = self._file(name)
        cloud = file.approved.whatsapp_cloud
        return TemplateReference(
            spoki_id=file.approved.spoki.get(language),
            cloud_name=cloud.name if cloud else None,
            parameters=tuple(_named(file.text[language])),
        )

    def render(self, name: str, language: str, variables: Mapping[str, str]) -> Template:
        """Fill a template in. Raises ValueError naming a variable too few or too many.

        Values lose their line breaks, which WhatsApp refuses in a template.
        """
        file = self._file(name)
        given = {key: value for key, value in variables.items() if key != PROPERTY}
        if odd := set(given) ^ set(file.variables):
            raise ValueError(f"{name}: {', '.join(sorted(odd))} too few or too many")
        values = {key: " ".join(value.split()) for key, value in given.items()}
        values[PROPERTY] = self._property_name
        text = file.text.get(language)
        if text is None:
            raise ValueError(f"{name}: there is no text in {language!r}")
        return Template(name, language, values, text.strip().format_map(values))

    def _file(self, name: str) -> _File:
        try:
            return self._files[name]
        except KeyError:
            raise ValueError(f"there is no template {name!r}") from None


def _named(text: str) -> Iterator[str]:
    """The variables of a text in the order in which they are first said."""
    names = (name for _, name, _, _ in Formatter().parse(text) if name)
    yield from dict.fromkeys(names)


def load(folder: Path | None, property_name: str, provider: str) -> Catalogue:
    """The bundled templates, each replaced by the file of the same name in ``folder``.

    Raises :class:`CatalogueError` with a line for each mistake.
    """
    bundled = {
        path.name: path
        for path in resources.files(__package__).joinpath("templates").iterdir()
        if path.name.endswith(".yml")
    }
    mistakes: list[str] = []
    own: dict[str, Traversable] = {}
    if folder is not None:
        own, mistakes = _own_files(folder, set(bundled))
    files: dict[str, _File] = {}
    for file_name, path in sorted((bundled | own).items()):
        try:
            files[file_name.removesuffix(".yml")] = _read(path)
        except CatalogueError as error:
            mistakes.append(str(error))
    if mistakes:
        lines = "\n".join(f"- {mistake}" for mistake in mistakes)
        raise CatalogueError(f"The message templates can't be used yet:\n{lines}")
    return Catalogue(files, property_name, provider)


def _own_files(folder: Path, known: set[str]) -> tuple[dict[str, Traversable], list[str]]:
    if not folder.is_dir():
        return {}, [f"{folder} is no folder: make it, or leave PORTIERE_TEMPLATES out"]
    own: dict[str, Traversable] = {path.name: path for path in folder.glob("*.y*ml")}
    names = ", ".join(sorted(known))
    strange = [f"{folder / name}: no template is called so; there are {names}" for name in own]
    return (
        {name: path for name, path in own.items() if name in known},
        [line for name, line in zip(own, strange, strict=True) if name not in known],
    )


def _read(path: Traversable) -> _File:
    try:
        return _File.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CatalogueError(f"{path}: can't be read ({error})") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise CatalogueError(f"{path}: {f'{place}: ' if place else ''}{message}") from None

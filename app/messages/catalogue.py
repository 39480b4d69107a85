"""What the system says by itself: message templates, one YAML file each, in five languages.

A host may replace any file by one of the same name in a folder of theirs, and writes into it under
which name the provider has approved the template: only so may it go outside the 24-hour window.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from app.messages.outgoing import Template
from app.messages.template_files import (
    LANGUAGES,
    PROPERTY,
    Purpose,
    TemplateFile,
    TemplateFileError,
    read,
    variables_in,
)

__all__ = ["DESK_ALERT", "FALLBACK", "LANGUAGES", "PROPERTY", "Catalogue", "CatalogueError", "load"]

# Goes in place of an answer that comes after the window has closed.
FALLBACK: Final = "handed_to_person"
# To the desk's own phone.
DESK_ALERT: Final = "desk_alert"
_SUFFIX: Final = ".yml"


class CatalogueError(Exception):
    """The templates can't be used; the message says where and what to do."""


@dataclass(frozen=True)
class TemplateReference:
    """What the provider knows a template by. ``parameters``: its variables, in their order."""

    spoki_id: int | None
    cloud_name: str | None
    parameters: tuple[str, ...]


class Catalogue:
    """The templates of a property; made by :func:`load`."""

    def __init__(
        self, files: Mapping[str, TemplateFile], property_name: str, provider: str
    ) -> None:
        self._files = files
        self._property_name = property_name
        self._provider = provider

    @property
    def names(self) -> tuple[str, ...]:
        """Every template's name."""
        return tuple(self._files)

    def variables(self, name: str) -> tuple[str, ...]:
        """What must be given to fill it in. Raises ValueError if there is no such template."""
        return tuple(self._file(name).variables)

    def purpose(self, name: str) -> Purpose:
        """What it is for: what it costs goes by that, too."""
        return self._file(name).purpose

    def is_marketing(self, name: str) -> bool:
        """Whether it needs the guest's consent."""
        return self.purpose(name) is Purpose.MARKETING

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
            parameters=variables_in(_text(name, file, language)),
        )

    def render(self, name: str, language: str, variables: Mapping[str, str]) -> Template:
        """Fill a template in. Raises ValueError naming a variable too few, too many or empty.

        Values lose their line breaks, which WhatsApp refuses in a template.
        """
        file = self._file(name)
        given = {key: value for key, value in variables.items() if key != PROPERTY}
        if odd := set(given) ^ set(file.variables):
            raise ValueError(f"{name}: {', '.join(sorted(odd))} too few or too many")
        values = {key: " ".join(value.split()) for key, value in given.items()}
        # WhatsApp refuses those as well.
        if empty := [key for key, value in values.items() if not value]:
            raise ValueError(f"{name}: there is nothing in {empty[0]}")
        values[PROPERTY] = self._property_name
        return Template(name, language, values, _text(name, file, language).format_map(values))

    def _file(self, name: str) -> TemplateFile:
        try:
            return self._files[name]
        except KeyError:
            raise ValueError(f"there is no template {name!r}") from None


def _text(name: str, file: TemplateFile, language: str) -> str:
    try:
        return file.text[language]
    except KeyError:
        raise ValueError(f"{name}: there is no text in {language!r}") from None


def load(folder: Path | None, property_name: str, provider: str) -> Catalogue:
    """The bundled templates, each replaced by the file of the same name in ``folder``.

    Raises :class:`CatalogueError` with a line for each mistake.
    """
    files = {name: read(path) for name, path in _bundled().items()}
    mistakes: list[str] = []
    for path in _own(folder):
        name = path.name.removesuffix(_SUFFIX)
        if name not in files:
            known = ", ".join(f"{one}{_SUFFIX}" for one in files)
            mistakes.append(f"{path}: no template is called so; there are {known}")
            continue
        try:
            files[name] = read(path, bundled=files[name])
        except TemplateFileError as error:
            mistakes += error.mistakes
    if mistakes:
        lines = "\n".join(f"- {mistake}" for mistake in mistakes)
        raise CatalogueError(f"The message templates can't be used yet:\n{lines}")
    return Catalogue(files, property_name, provider)


def _bundled() -> dict[str, Traversable]:
    folder = resources.files(__package__).joinpath("templates")
    paths = sorted(folder.iterdir(), key=lambda path: path.name)
    return {path.name.removesuffix(_SUFFIX): path for path in paths if path.name.endswith(_SUFFIX)}


def _own(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    if not folder.is_dir():
        raise CatalogueError(f"{folder} is no folder: make it, or leave PORTIERE_TEMPLATES out")
    # A Mac leaves ._files beside what it copies.
    return sorted(path for path in folder.glob("*.y*ml") if not path.name.startswith("."))

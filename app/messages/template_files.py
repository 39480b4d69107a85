"""Reading the file of a message template, and telling a host what is wrong with theirs."""

from collections.abc import Iterator
from enum import StrEnum
from importlib.resources.abc import Traversable
from string import Formatter
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt, ValidationError
from pydantic_core import ErrorDetails

from app.hostfile import HostFile, HostFileError, Place

LANGUAGES: Final = ("it", "en", "de", "fr", "es")
# Every text may name the property.
PROPERTY: Final = "property"
# WhatsApp's own limit of a template's body.
LONGEST_TEXT: Final = 1024


class TemplateFileError(Exception):
    """A file can't be used; ``mistakes``: a line for each, which says where and what to do."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class Purpose(StrEnum):
    """A service is part of the stay; marketing needs the guest's consent."""

    SERVICE = "service"
    MARKETING = "marketing"


def _known(language: str) -> str:
    if language not in LANGUAGES:
        raise ValueError(f"write one of {', '.join(LANGUAGES)}")
    return language


_Language = Annotated[str, AfterValidator(_known)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CloudApproval(_Section):
    """Under which name Meta approved it, and in which languages."""

    name: str = Field(pattern="^[a-z0-9_]+$", max_length=512)
    languages: list[_Language]


class Approved(_Section):
    """What the providers have approved; ``spoki``: its number of the template, by language."""

    spoki: dict[_Language, PositiveInt] = {}
    whatsapp_cloud: CloudApproval | None = None


class TemplateFile(_Section):
    """One template, as its file has it."""

    purpose: Purpose
    variables: list[str] = []
    text: dict[_Language, Annotated[str, Field(max_length=LONGEST_TEXT)]]
    approved: Approved = Approved()


def read(path: Traversable, bundled: TemplateFile | None = None) -> TemplateFile:
    """Read and check a file; ``bundled`` is the one that it replaces.

    Raises :class:`TemplateFileError`.
    """
    try:
        file = HostFile.read(path)
    except HostFileError as error:
        raise TemplateFileError([str(error)]) from None
    try:
        template = TemplateFile.model_validate(file.data)
    except ValidationError as error:
        found = [(_place(one), _advice(one)) for one in error.errors(include_url=False)]
    else:
        found = list(_mistakes(template, bundled))
        if not found:
            return template
    raise TemplateFileError([_line(path, file, place, advice) for place, advice in found])


def variables_in(text: str) -> tuple[str, ...]:
    """The variables of a text, in the order in which they are first said."""
    return tuple(dict.fromkeys(name for _, name, _, _ in Formatter().parse(text) if name))


def _place(error: ErrorDetails) -> Place:
    return tuple(part for part in error["loc"] if part != "[key]")


def _advice(error: ErrorDetails) -> str:
    match error["type"]:
        case "extra_forbidden":
            return "there is no such field"
        case "missing":
            return "add this field"
        case "model_type" | "dict_type":
            return "write its fields on lines of their own, indented below"
        case "list_type":
            return "write a list: [one, two]"
        case "value_error":
            return str(error["ctx"]["error"])
        case _:
            return error["msg"]


def _line(path: Traversable, file: HostFile, place: Place, advice: str) -> str:
    line = file.line(place)
    where = f"{path}, line {line}" if line else str(path)
    return f"{where}, {'.'.join(map(str, place)) or 'the file'}: {advice}"


def _mistakes(template: TemplateFile, bundled: TemplateFile | None) -> Iterator[tuple[Place, str]]:
    if bundled and set(template.variables) != set(bundled.variables):
        wanted = ", ".join(bundled.variables)
        yield ("variables",), f"Portiere fills in exactly these: [{wanted}]"
        return  # the texts would be measured by what is wrong
    if bundled and template.purpose is not bundled.purpose:
        yield ("purpose",), f"it is {bundled.purpose}, for that decides who may be sent it"
    for language in LANGUAGES:
        if language not in template.text:
            yield ("text",), f"add the text in {language}"
    for language, text in template.text.items():
        if mistake := _mistake(text, frozenset(template.variables)):
            yield ("text", language), mistake


def _mistake(text: str, needed: frozenset[str]) -> str | None:
    allowed = needed | {PROPERTY}
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        return f"{error}; write a brace that is meant as one twice"
    named = {name for _, name, _, _ in parts if name is not None}
    # A conversion or a format ("{start!r}", "{start:>5}") is as wrong as another name.
    if not named <= allowed or any(form or conversion for _, _, form, conversion in parts):
        return f"the variables here are {', '.join(f'{{{name}}}' for name in sorted(allowed))}"
    if forgotten := sorted(needed - named):
        return f"it never says {{{forgotten[0]}}}"
    # WhatsApp approves no template that begins or ends with a variable.
    if parts[0][0] == "" or parts[-1][1] is not None:
        return "put a word before its first variable, and a word or a full stop after its last"
    return None

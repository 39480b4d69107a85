"""What a guest can tap: the buttons and the list of a send, as strict as WhatsApp is about them."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

# Of a list, in all of its sections together.
MOST_ROWS = 10


def _text(limit: int) -> Any:
    return StringConstraints(min_length=1, max_length=limit)


# The lengths are those of WhatsApp's Cloud API, which Spoki stands on; 3 and 20 are Spoki's too.
LongText = Annotated[str, _text(4096)]
BodyText = Annotated[str, _text(1024)]
ButtonText = Annotated[str, _text(20)]
ShortText = Annotated[str, _text(60)]
RowTitle = Annotated[str, _text(24)]
RowDescription = Annotated[str, StringConstraints(max_length=72)]


class Part(BaseModel):
    """A part of a send. Types aren't converted; fields that Spoki doesn't know are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Header(Part):
    """``format`` is what WhatsApp allows above an interactive message."""

    format: Literal["TEXT", "Text", "text"]
    text: ShortText


class Footer(Part):
    """The small print under an interactive message."""

    text: ShortText


class Button(Part):
    """A quick reply; ``payload`` comes back in the guest's ``message.inbound``."""

    button_type: Literal["quick_reply"]
    text: ButtonText
    order: Annotated[int, Field(ge=0)]
    payload: Annotated[str, _text(256)]


def _distinct(buttons: list[Button]) -> list[Button]:
    _check_distinct(button.text for button in buttons)
    _check_distinct(button.payload for button in buttons)
    return buttons


def _check_distinct(values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f'"{value}" is there twice.')
        seen.add(value)


Buttons = Annotated[list[Button], Field(min_length=1, max_length=3), AfterValidator(_distinct)]


class Row(Part):
    """One choice of a list."""

    title: RowTitle
    description: RowDescription = ""
    payload: Annotated[str, _text(200)]


class Section(Part):
    """A group of choices."""

    title: RowTitle
    rows: Annotated[list[Row], Field(min_length=1, max_length=10)]


class Choices(Part):
    """The list behind the button of a list message."""

    title: ButtonText
    sections: Annotated[list[Section], Field(min_length=1, max_length=10)]

    @model_validator(mode="after")
    def _all_rows(self) -> Self:
        rows = [row for section in self.sections for row in section.rows]
        if len(rows) > MOST_ROWS:
            raise ValueError(f"Ensure this list has no more than {MOST_ROWS} rows.")
        _check_distinct(row.payload for row in rows)
        return self

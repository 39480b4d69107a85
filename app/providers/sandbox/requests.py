"""What ``POST /api/1/messages/send/`` and ``contacts/sync/`` take, and what they refuse.

Types are strict where Django would convert: a client that relies on that is found out here.
Fields that Spoki doesn't know are ignored, as Django does.
"""

from abc import ABC, abstractmethod
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from app.providers.sandbox.errors import ApiError, field_errors
from app.providers.sandbox.interactive import (
    BodyText,
    Buttons,
    Choices,
    Footer,
    Header,
    LongText,
    Part,
)
from app.providers.sandbox.phones import valid_phone
from app.providers.sandbox.templates import TEMPLATES, Template, fill, missing_fields


def _phone(value: str) -> str:
    if not valid_phone(value):
        raise ValueError("Enter a valid phone number.")
    return value


Phone = Annotated[str, AfterValidator(_phone)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]


class Media(Part):
    """A file that WhatsApp fetches."""

    url: Url
    filename: str = ""
    language: str | None = None


class TemplateButton(Part):
    """The payload of one of the template's own buttons."""

    order: Annotated[int, Field(ge=0)]
    payload: str = ""


class Send(Part, ABC):
    """What every send has."""

    type: Literal["Template", "Message"]
    content_type: str = "Text"
    phone: Phone
    metadata: dict[str, Any] | None = None

    @abstractmethod
    def shown(self) -> str:
        """The text that the guest sees."""


class TemplateSend(Send):
    """A template by number, in one of its languages."""

    type: Literal["Template"]
    template: int
    language: str = "it"
    email: str | None = None
    custom_fields: dict[str, str] = Field(default_factory=dict)
    header_media: Media | None = None
    header_media_set: list[Media] | None = None
    buttons: list[TemplateButton] | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        template = TEMPLATES.get(self.template)
        if template is None:
            raise _refused("template", f'Invalid pk "{self.template}" - object does not exist.')
        if not template.approved:
            raise _refused("template", "This template is not approved.")
        body = template.bodies.get(self.language.lower())
        if body is None:
            raise _refused("language", f'"{self.language}" is not a language of this template.')
        missing = missing_fields(body, self.custom_fields)
        if missing:
            raise _refused("custom_fields", f"Missing values: {', '.join(missing)}.")
        return self

    def shown(self) -> str:
        """The template's body with its placeholders filled."""
        template: Template = TEMPLATES[self.template]
        return fill(template.bodies[self.language.lower()], self.custom_fields)


class TextSend(Send):
    """Free text."""

    type: Literal["Message"]
    content_type: Literal["Text"]
    text: LongText

    def shown(self) -> str:
        """The text itself."""
        return self.text


class InteractiveSend(Send):
    """Text with up to three quick replies."""

    type: Literal["Message"]
    content_type: Literal["Interactive"]
    text: BodyText
    buttons: Buttons
    header: Header | None = None
    footer: Footer | None = None

    def shown(self) -> str:
        """The text above the buttons."""
        return self.text


class ListSend(Send):
    """Text with a list to choose from."""

    type: Literal["Message"]
    content_type: Literal["List"]
    text: BodyText
    list: Choices
    header: Header | None = None
    footer: Footer | None = None

    def shown(self) -> str:
        """The text above the list."""
        return self.text


class MediaSend(Send):
    """A picture, document, video or sound, with an optional caption."""

    type: Literal["Message"]
    content_type: Literal["Image", "Document", "Video", "Audio"]
    media: Media
    text: Annotated[str, StringConstraints(max_length=1024)] = ""

    def shown(self) -> str:
        """The caption, or the file's name, or what it is."""
        return self.text or self.media.filename or self.content_type


class Contact(Part):
    """What ``contacts/sync/`` takes: created or updated by ``phone``."""

    phone: Phone
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    language: str | None = None
    status: Literal["Not Declared", "Subscribed", "Unsubscribed"] | None = None
    custom_fields: dict[str, str] | None = None


class Subscription(Part):
    """What ``external-webhooks/`` takes. Only version 2 is signed as this project checks it."""

    event: Literal[
        "message.inbound",
        "message.outbound",
        "message.note",
        "chat.has_unread_messages",
        "contact.created",
        "contact.updated",
        "contact.deleted",
        "contact_tag.created",
        "contact_tag.deleted",
        "contact_list.created",
        "contact_list.deleted",
    ]
    version: Literal[2]
    url: Url
    is_active: bool = True


_MESSAGES: dict[str, type[Send]] = {
    "Text": TextSend,
    "Interactive": InteractiveSend,
    "List": ListSend,
    **dict.fromkeys(("Image", "Document", "Video", "Audio"), MediaSend),
}


def parse_send(body: object) -> Send:
    """Check the body of a send. Raises :class:`ApiError` (400) that names each wrong field."""
    if not isinstance(body, dict):
        raise ApiError(400, {"non_field_errors": ["Invalid data. Expected a dictionary."]})
    kind = _choice(body, "type", ("Template", "Message"))
    if kind == "Template":
        return parse(TemplateSend, body)
    return parse(_MESSAGES[_choice(body, "content_type", tuple(_MESSAGES))], body)


M = TypeVar("M", bound=BaseModel)


def parse(model: type[M], body: object) -> M:
    """Check ``body`` against ``model``. Raises :class:`ApiError` (400)."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise ApiError(400, field_errors(error.errors(include_url=False))) from None


def _choice(body: dict[str, Any], field: str, choices: tuple[str, ...]) -> str:
    if field not in body:
        raise _refused(field, "This field is required.")
    value = body[field]
    if not isinstance(value, str) or value not in choices:
        raise _refused(field, f'"{value}" is not a valid choice.')
    return value


def _refused(field: str, message: str) -> ApiError:
    return ApiError(400, {field: [message]})

"""What a tool may want of the cloud, as events of their own names."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from cloud_jobs.known.told import Language, Told

# As much as one message of WhatsApp holds.
Text = Annotated[str, Field(min_length=1, max_length=4096)]
Guest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BatchWanted(Told):
    """``notifications.batch``: ``text`` is for everybody of ``to``.

    Without ``language`` it is written in the host's.
    """

    text: Text
    language: Language | None = None
    to: Literal["in_house"] | Annotated[tuple[Guest, ...], Field(min_length=1, max_length=1000)]


class TranslationWanted(Told):
    """``translation.wanted``, about a guest: ``text`` is for them, in what they read.

    Without ``language`` it is written in the host's.
    """

    text: Text
    language: Language | None = None


BY_NAME: Final[Mapping[str, type[Told]]] = {
    "notifications.batch": BatchWanted,
    "translation.wanted": TranslationWanted,
}
OF_A_GUEST: Final = frozenset({"translation.wanted"})

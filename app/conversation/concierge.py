"""The concierge: answers from the property's facts, and calls a person for all else.

Offline and deterministic: the same message, facts and known language make the same reply, and
every fact in it stands in `property.yml`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.conversation import intent as wishes
from app.conversation import language as languages
from app.conversation.intent import Intent
from app.conversation.language import Language
from app.conversation.phrases import Phrases, bundled
from app.conversation.property import Property
from app.conversation.told import TOPICS, tell

_COURTESIES: Final = {Intent.GREETING, Intent.THANKS}
_FOR_A_PERSON: Final = {Intent.EMERGENCY, Intent.HUMAN, Intent.OTHER}


@dataclass(frozen=True)
class Answer:
    """The reply to one message.

    `needs_person`: the reply says that a person will answer, so one must be told.
    `language_is_told`: the message or what was known told the language; else it is only the
    property's own, and nothing to remember about this guest.
    """

    text: str
    language: Language
    intents: tuple[Intent, ...]
    needs_person: bool
    language_is_told: bool = True


def warm_up() -> None:
    """Load and check all that answering needs, at the worker's start.

    :raises PhrasesError: when the phrases aren't complete in all languages.
    :raises ValueError: when a patterns file can't be read.
    """
    bundled()
    wishes.warm_up()
    languages.warm_up()


def answer(text: str, facts: Property, known_language: Language | None = None) -> Answer:
    """Answer a guest's message; any text will do, an empty one too.

    :param facts: the property's, of which nothing is left unsaid or added.
    :param known_language: what this guest is known to speak.
    """
    told_language = languages.detect(text, known_language)
    language = told_language or facts.default_language
    said = wishes.recognise(text)
    intents = tuple(intent for intent in said if intent not in _COURTESIES) or said[:1]
    reply, incomplete = _reply(said, intents, facts, bundled()[language])
    return Answer(
        text=reply,
        language=language,
        intents=intents,
        needs_person=incomplete or not _FOR_A_PERSON.isdisjoint(intents),
        language_is_told=told_language is not None,
    )


def _reply(
    said: Sequence[Intent], intents: Sequence[Intent], facts: Property, phrases: Phrases
) -> tuple[str, bool]:
    """The text, and whether a fact that was asked for is missing in it."""
    if Intent.EMERGENCY in intents:
        return _emergency(facts, phrases), False
    if intents[0] is Intent.GREETING:
        return phrases.say("greeting", name=facts.name), False
    if intents[0] is Intent.THANKS:
        return phrases.say("thanks"), False
    known = {intent: tell(intent, facts, phrases) for intent in intents if intent in TOPICS}
    paragraphs = [told.text for told in known.values() if told]
    unknown = [intent for intent, told in known.items() if not (told and told.complete)]
    if unknown:
        topics = ", ".join(phrases.say(f"topic_{intent}") for intent in unknown)
        paragraphs.append(phrases.say("unknown", topics=topics))
    paragraphs += _handing_over(intents, facts, phrases)
    hello = phrases.say("hello") + "\n" if Intent.GREETING in said else ""
    return hello + "\n\n".join(paragraphs), bool(unknown)


def _emergency(facts: Property, phrases: Phrases) -> str:
    """The number first: it may be all that is read. Then where to send the help."""
    lines = [phrases.say("emergency", number=facts.emergency_number)]
    if facts.address:
        lines.append(phrases.say("emergency_address", address=facts.address))
    if facts.desk_phone:
        lines.append(phrases.say("emergency_desk", phone=facts.desk_phone))
    return "\n".join([*lines, phrases.say("emergency_person")])


def _handing_over(intents: Sequence[Intent], facts: Property, phrases: Phrases) -> list[str]:
    if Intent.HUMAN in intents:
        phone = facts.desk_phone and phrases.say("human_phone", phone=facts.desk_phone)
        return [" ".join(filter(None, (phrases.say("human"), phone)))]
    if Intent.OTHER in intents:
        return [phrases.say("other" if len(intents) == 1 else "rest")]
    return []

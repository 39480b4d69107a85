"""The one way in: a guest's message and what is known around it make a reply.

Pure and deterministic. Danger goes first; then a yes or no to an open offer; then what can't be
read; then a question that goes on from the last answer; else each thing that the message asks is
answered by the agent it belongs to, all in one reply. Every fact in it stands in `property.yml`, in
the guest's booking or in what they wrote.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.conversation import language as languages
from app.conversation import said
from app.conversation.agents import booking, checkout, concierge, emergency, offers
from app.conversation.agents.scene import Part, Scene
from app.conversation.intent import Intent
from app.conversation.phrases import bundled
from app.conversation.property import Property
from app.conversation.told import TOPICS, tell
from app.conversation.turn import Agent, CallPerson, Effect, Reply, Turn
from app.conversation.understanding import Guess

_COURTESIES: Final = frozenset({Intent.GREETING, Intent.THANKS})
_BY_INTENT: Final = {intent: kind for kind, intent in offers.INTENTS.items()}
_CERTAIN: Final = 1.0  # the score of what was decided by the very words, without a guess


@dataclass(frozen=True)
class _Answer:
    """What a reply is made of."""

    agent: Agent
    intents: tuple[Intent, ...]
    parts: tuple[Part, ...]
    score: float = _CERTAIN
    hello: bool = False


def warm_up() -> None:
    """Load and check all that replying needs, at the worker's start.

    :raises PhrasesError: when the phrases aren't complete in all languages.
    :raises ValueError: when `said.yml` has a section that isn't known.
    """
    bundled()
    said.warm_up()
    languages.warm_up()


def reply(turn: Turn, guesses: Sequence[Guess], facts: Property) -> Reply:
    """Answer a guest's message; any text will do, an empty one too.

    :param guesses: what the message was understood to mean, the main one first; at least one.
    :param facts: the property's, of which nothing is added to or made up.
    """
    told_language = languages.detect(turn.text, turn.known_language)
    language = told_language or facts.default_language
    scene = Scene(turn, facts, bundled()[language])
    answer = (
        _emergency(scene, guesses)
        or _settled_offer(scene)
        or _media(scene)
        or _follow_up(scene)
        or _asked(scene, guesses)
    )
    return Reply(
        text=_text(answer, scene),
        language=language,
        agent=answer.agent,
        intents=answer.intents,
        score=answer.score,
        choices=next((part.choices for part in answer.parts if part.choices), ()),
        effects=_effects(answer.parts),
        language_is_told=told_language is not None,
    )


def _emergency(scene: Scene, guesses: Sequence[Guess]) -> _Answer | None:
    """Whatever else is in the message."""
    danger = next((guess for guess in guesses if guess.intent is Intent.EMERGENCY), None)
    if danger is None:
        return None
    part = emergency.answer(scene)
    return _Answer(Agent.EMERGENCY, (Intent.EMERGENCY,), (part,), danger.score)


def _settled_offer(scene: Scene) -> _Answer | None:
    settled = offers.settle(scene)
    if settled is None:
        return None
    intent, part = settled
    return _Answer(Agent.BOOKING, (intent,), (part,))


def _media(scene: Scene) -> _Answer | None:
    if scene.turn.text.strip() or not scene.turn.media:
        return None
    return _Answer(Agent.CONCIERGE, (Intent.OTHER,), (concierge.media(scene),))


def _follow_up(scene: Scene) -> _Answer | None:
    """A bare "and how much?": the last topic again, if that says it; else a person."""
    topic, aspect = scene.turn.topic, said.follow_up(scene.turn.text)
    if topic is None or aspect is None:
        return None
    agent = _agent(topic, scene)
    if _is_on_offer(topic, scene):
        agent, part = Agent.BOOKING, offers.offer(_BY_INTENT[topic], scene) or Part(missing=topic)
    elif topic in TOPICS:
        told = tell(topic, scene.facts, scene.phrases)
        part = Part(told.text) if told and told.has(aspect) else Part(missing=topic)
    elif topic is Intent.BOOKING_STATUS:
        part = booking.status(scene)
    elif agent is Agent.CONCIERGE or not scene.phrases.has(f"topic_{topic}"):
        return None  # nothing one could ask on about: a complaint, thanks, an opt-out
    else:
        part = Part(missing=topic)
    return _Answer(agent, (topic,), (part,))


def _is_on_offer(topic: Intent, scene: Scene) -> bool:
    standing = scene.turn.offer
    return standing is not None and offers.INTENTS.get(standing.kind) is topic


def _asked(scene: Scene, guesses: Sequence[Guess]) -> _Answer:
    meant = tuple(dict.fromkeys(guess.intent for guess in guesses))
    intents = tuple(intent for intent in meant if intent not in _COURTESIES) or meant[:1]
    agents = [_agent(intent, scene) for intent in intents]
    main = next(guess for guess in guesses if guess.intent is intents[0])
    return _Answer(
        agent=agents[0],
        intents=intents,
        parts=tuple(_parts(list(zip(agents, intents, strict=True)), scene)),
        score=main.score,
        hello=Intent.GREETING in meant and Intent.GREETING not in intents,
    )


def _agent(intent: Intent, scene: Scene) -> Agent:
    if checkout.takes(intent, scene):
        return Agent.CHECKOUT
    return Agent.BOOKING if booking.takes(intent, scene) else Agent.CONCIERGE


def _parts(asked: Sequence[tuple[Agent, Intent]], scene: Scene) -> list[Part]:
    parts: list[Part] = []
    for agent, intent in asked:
        part = _part(agent, intent, scene)
        if intent is Intent.OTHER and len(asked) > 1:
            part = replace(part, text=scene.phrases.say("rest"))
        if part.choices:
            scene = replace(scene, may_offer=False)
        parts.append(part)
    return parts


def _part(agent: Agent, intent: Intent, scene: Scene) -> Part:
    match agent:
        case Agent.EMERGENCY:
            return emergency.answer(scene)
        case Agent.CHECKOUT:
            return checkout.answer(intent, scene)
        case Agent.BOOKING:
            return booking.answer(intent, scene)
        case Agent.CONCIERGE:
            return concierge.answer(intent, scene)


def _text(answer: _Answer, scene: Scene) -> str:
    paragraphs = [part.text for part in answer.parts if part.text]
    missing = [part.missing for part in answer.parts if part.missing is not None]
    if missing:
        topics = ", ".join(scene.phrases.say(f"topic_{topic}") for topic in missing)
        paragraphs.append(scene.phrases.say("unknown", topics=topics))
    hello = scene.phrases.say("hello") + "\n" if answer.hello else ""
    return hello + "\n\n".join(paragraphs)


def _effects(parts: Sequence[Part]) -> tuple[Effect, ...]:
    """All that is to happen; a person is called once, for the gravest reason."""
    effects = [effect for part in parts for effect in part.effects]
    calls = [effect for effect in effects if isinstance(effect, CallPerson)]
    calls += [CallPerson(part.missing) for part in parts if part.missing is not None]
    rest = [effect for effect in effects if not isinstance(effect, CallPerson)]
    gravest = max(calls, key=lambda call: (call.urgent, call.silence), default=None)
    return (*rest, gravest) if gravest else tuple(rest)

"""The concierge: answers from the property's facts, and calls a person for all else."""

from collections.abc import Callable, Mapping
from typing import Final

from app.conversation.agents.scene import Part, Scene, for_a_person
from app.conversation.intent import Intent
from app.conversation.said import Saying, says
from app.conversation.told import TOPICS, tell
from app.conversation.turn import CallPerson, MakeRequest, SetConsent
from app.conversation.wording import clock, lines, local_if_any
from app.guests.request import RequestKind


def answer(intent: Intent, scene: Scene) -> Part:
    """The part of a reply to one intent that no other agent takes."""
    if intent is Intent.LUGGAGE and says(Saying.LEFT_BEHIND, scene.turn.text):
        return _left_behind(scene)
    if intent in TOPICS:
        return facts_of(intent, scene)
    return _OTHERS[intent](scene)


def facts_of(topic: Intent, scene: Scene) -> Part:
    """What the property's facts say about one of TOPICS."""
    told = tell(topic, scene.facts, scene.phrases)
    if told is None:
        return Part(missing=topic)
    return Part(told.text, missing=None if told.complete else topic)


def media(scene: Scene) -> Part:
    """To what came without a word: photos, voice messages, documents."""
    return for_a_person(scene.phrases.say("media"), Intent.OTHER)


def _left_behind(scene: Scene) -> Part:
    request = MakeRequest(RequestKind.LUGGAGE, scene.turn.text, scene.booking_id)
    return Part(scene.phrases.say("left_behind"), (request,))


def _greeting(scene: Scene) -> Part:
    return Part(scene.phrases.say("greeting", name=scene.facts.name))


def _thanks(scene: Scene) -> Part:
    return Part(scene.phrases.say("thanks"))


def _flight_delay(scene: Scene) -> Part:
    """Until when one can check in, and how: who comes late wants to know where the key is."""
    check_in, phrases = scene.facts.check_in, scene.phrases
    text = phrases.say("flight_delay")
    if check_in is not None and check_in.until is not None:
        end = clock(check_in.until, phrases.language)
        how = local_if_any(check_in.how, scene.facts, phrases)
        text = lines(text, phrases.say("flight_delay_until", end=end), how)
    return Part(text, (CallPerson(Intent.FLIGHT_DELAY),))


def _complaint(scene: Scene) -> Part:
    return for_a_person(scene.phrases.say("complaint"), Intent.COMPLAINT)


def _human(scene: Scene) -> Part:
    phone = scene.facts.desk_phone
    call = phone and scene.phrases.say("human_phone", phone=phone)
    text = " ".join(filter(None, (scene.phrases.say("human"), call)))
    return for_a_person(text, Intent.HUMAN, silence=True)


def _other(scene: Scene) -> Part:
    return for_a_person(scene.phrases.say("other"), Intent.OTHER)


def _opt_out(scene: Scene) -> Part:
    return Part(scene.phrases.say("opt_out"), (SetConsent(given=False),))


def _opt_in(scene: Scene) -> Part:
    return Part(scene.phrases.say("opt_in"), (SetConsent(given=True),))


_OTHERS: Final[Mapping[Intent, Callable[[Scene], Part]]] = {
    Intent.GREETING: _greeting,
    Intent.THANKS: _thanks,
    Intent.FLIGHT_DELAY: _flight_delay,
    Intent.COMPLAINT: _complaint,
    Intent.HUMAN: _human,
    Intent.OPT_OUT: _opt_out,
    Intent.OPT_IN: _opt_in,
    Intent.OTHER: _other,
}

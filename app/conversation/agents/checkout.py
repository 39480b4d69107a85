"""The check-out agent: leaving, the invoice, what the guest says of the stay, and goodbye."""

from collections.abc import Callable, Mapping
from typing import Final

from app.conversation.agents import concierge
from app.conversation.agents.scene import Part, Scene
from app.conversation.intent import Intent
from app.conversation.said import Saying, affirms, is_question, says
from app.conversation.turn import EndStay, MakeRequest
from app.conversation.wording import lines, local_if_any
from app.guests.request import RequestKind


def takes(intent: Intent, scene: Scene) -> bool:
    """Whether this agent answers the intent, as the stay stands today."""
    days = scene.days_to_departure()
    match intent:
        case Intent.INVOICE:
            return True
        case Intent.DEPARTURE:
            return days is not None and days <= 1
        case Intent.THANKS:
            return _has_left(intent, scene) or _is_praise(scene)
        case Intent.GREETING:
            return _has_left(intent, scene)
        case Intent.COMPLAINT:
            return scene.is_past_check_out()
        case _:
            return False


def answer(intent: Intent, scene: Scene) -> Part:
    """The part of a reply to one of the intents that it takes."""
    return _ANSWERS[intent](scene)


def _departure(scene: Scene) -> Part:
    if _has_left(Intent.DEPARTURE, scene):
        return _goodbye(scene)
    told = concierge.facts_of(Intent.DEPARTURE, scene)
    text = "\n\n".join(filter(None, (told.text, scene.phrases.say("departing"))))
    return Part(text, missing=told.missing)


def _invoice(scene: Scene) -> Part:
    text = local_if_any(scene.facts.invoice, scene.facts, scene.phrases)
    wish = MakeRequest(RequestKind.INVOICE, scene.turn.text, scene.booking_id)
    return Part(lines(scene.phrases.say("invoice_request"), text), (wish,))


def _courtesy(scene: Scene) -> Part:
    """Praise is passed on while they are still here; else it is a goodbye, with the praise."""
    if _has_left(Intent.THANKS, scene):
        return _goodbye(scene)
    return Part(scene.phrases.say("feedback"), _feedback(scene))


def _complaint(scene: Scene) -> Part:
    """Nobody can put it right in the room any more, so it is kept as what they thought of it."""
    told = concierge.answer(Intent.COMPLAINT, scene)
    return Part(told.text, (*told.effects, *_feedback(scene)))


def _goodbye(scene: Scene) -> Part:
    booking_id = scene.booking_id
    ended = (EndStay(booking_id),) if booking_id is not None else ()
    goodbye = scene.phrases.say("goodbye", name=scene.facts.name)
    if not _is_praise(scene):
        return Part(goodbye, ended)
    return Part(lines(scene.phrases.say("feedback"), goodbye), (*_feedback(scene), *ended))


def _feedback(scene: Scene) -> tuple[MakeRequest, ...]:
    return (MakeRequest(RequestKind.FEEDBACK, scene.turn.text, scene.booking_id),)


def _is_last_day(scene: Scene) -> bool:
    days = scene.days_to_departure()
    return days is not None and days <= 0


def _is_praise(scene: Scene) -> bool:
    return _is_last_day(scene) and says(Saying.PRAISE, scene.turn.text)


def _has_left(intent: Intent, scene: Scene) -> bool:
    """Whether the message says or means that the stay is over.

    Said in so many words it counts from the morning of the last day. Thanks mean it after
    check-out time; a greeting only if it is a goodbye, for a "hello" begins something.
    """
    if not _is_last_day(scene):
        return False
    text = scene.turn.text
    if affirms(Saying.LEFT, text) and not is_question(text):
        return True
    match intent:
        case Intent.THANKS:
            return scene.is_past_check_out()
        case Intent.GREETING:
            return scene.is_past_check_out() and says(Saying.FAREWELL, text)
        case _:
            return False


_ANSWERS: Final[Mapping[Intent, Callable[[Scene], Part]]] = {
    Intent.DEPARTURE: _departure,
    Intent.INVOICE: _invoice,
    Intent.THANKS: _courtesy,
    Intent.GREETING: _goodbye,
    Intent.COMPLAINT: _complaint,
}

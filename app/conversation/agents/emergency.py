"""The answer to danger: the number, the address, the desk; and a person, at once."""

from app.conversation.agents.scene import Part, Scene, for_a_person
from app.conversation.intent import Intent
from app.conversation.wording import lines


def answer(scene: Scene) -> Part:
    """The number first: it may be all that is read. Then where to send the help."""
    facts, phrases = scene.facts, scene.phrases
    text = lines(
        phrases.say("emergency", number=facts.emergency_number),
        facts.address and phrases.say("emergency_address", address=facts.address),
        facts.desk_phone and phrases.say("emergency_desk", phone=facts.desk_phone),
        phrases.say("emergency_person"),
    )
    return for_a_person(text, Intent.EMERGENCY, urgent=True, silence=True)

"""What an optional language model may do for an answer: say what the brain is unsure of, and word
what the concierge has to tell. The offline answer is there first, and stays wherever the model has
no answer in time or :mod:`app.conversation.guard` objects.

What leaves for the model is the message, without what tells who wrote it, and the answer that our
own facts make. Never a phone, a name, a booking, or the Wi-Fi's password.
"""

import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from importlib import resources
from typing import Any, Final

import structlog
import yaml

from app.completions import Answer, Question
from app.conversation import brain, replying
from app.conversation.features import LONGEST_MESSAGE
from app.conversation.guard import objection
from app.conversation.intent import Intent
from app.conversation.language import Language
from app.conversation.model import Model, ModelError
from app.conversation.model_calls import Call, Outcome, Purpose
from app.conversation.property import Property
from app.conversation.told import TOPICS
from app.conversation.turn import Agent, Reply, Turn
from app.conversation.understanding import Guess

log = structlog.get_logger()

_LANGUAGES: Final = {
    Language.IT: "Italian",
    Language.EN: "English",
    Language.DE: "German",
    Language.FR: "French",
    Language.ES: "Spanish",
}
# Consent is given and taken back in the guest's own words, which the brain knows.
_NOT_ITS_TO_SAY: Final = frozenset({Intent.OPT_IN, Intent.OPT_OUT})
# The facts of the house; a network's name and password are to be copied, not worded.
_WORDED: Final = TOPICS - {Intent.WIFI}
_INTENT_TOKENS: Final = 16
_WORDING_TOKENS: Final = 800
_GAP: Final = "…"
_MAIL: Final = re.compile(r"\S+@\S+")
# Six digits and more: phones, cards, codes of bookings; not times, dates or prices.
_LONG_NUMBER: Final = re.compile(r"\+?\d(?:[\s().\-/]?\d){5,}")


@dataclass(frozen=True)
class Assisted:
    """The reply to send, and the calls that were made for it."""

    reply: Reply
    calls: tuple[Call, ...] = ()


def helps_with(turn: Turn, offline: Reply, facts: Property) -> bool:
    """Whether the model may be asked anything about this turn."""
    return _is_unsure(turn, offline) or _may_be_worded(offline, facts)


def assist(
    model: Model, turn: Turn, offline: Reply, facts: Property, private: Iterable[str] = ()
) -> Assisted:
    """The best reply that there is within the model's timeout, all calls together.

    :param offline: what the brain and the agents say to ``turn``.
    :param private: names and the like, which the message loses before it goes out.
    """
    if model.rests:
        return Assisted(offline)
    until = time.monotonic() + model.timeout.total_seconds()
    said = without_person(turn.text, private)
    reply, calls = offline, []
    if _is_unsure(turn, offline):
        intent, call = _intent(model, said, until)
        calls.append(call)
        if intent is not None:
            guess = Guess(intent, brain.shares(turn.text)[intent])
            reply = replying.reply(turn, [guess], facts)
    if _may_be_worded(reply, facts) and not model.rests:
        text, call = _wording(model, said, reply, until)
        calls.append(call)
        reply = replace(reply, text=text)
    return Assisted(reply, tuple(calls))


def without_person(text: str, private: Iterable[str] = ()) -> str:
    """The text without mail addresses, long numbers, and each word of ``private``."""
    text = _LONG_NUMBER.sub(_GAP, _MAIL.sub(_GAP, text[:LONGEST_MESSAGE]))
    words = sorted({word for name in private for word in re.findall(r"\w{2,}", name)}, key=len)
    for word in reversed(words):
        text = re.sub(rf"\b{re.escape(word)}\b", _GAP, text, flags=re.IGNORECASE)
    return text


def _is_unsure(turn: Turn, offline: Reply) -> bool:
    return offline.intents == (Intent.OTHER,) and bool(turn.text.strip())


def _may_be_worded(reply: Reply, facts: Property) -> bool:
    """The concierge's facts alone. An offer, a promise of a person, a booking stay as they are."""
    if reply.agent is not Agent.CONCIERGE or reply.effects or reply.choices:
        return False
    password = facts.wifi.password if facts.wifi else None
    if password is not None and password.get_secret_value() in reply.text:
        return False
    return bool(reply.text) and set(reply.intents) <= _WORDED


def _intent(model: Model, said: str, until: float) -> tuple[Intent | None, Call]:
    names = "\n".join(f"{intent}: {meaning}" for intent, meaning in prompts()["intents"].items())
    question = Question(f"{prompts()['intent']}\n{names}", said, _INTENT_TOKENS)

    def judge(answer: str) -> Outcome:
        word = _word(answer)
        if word not in list(Intent):
            return Outcome.NO_INTENT
        if word == Intent.OTHER:
            return Outcome.UNSURE
        return Outcome.NOT_ITS_TO_SAY if word in _NOT_ITS_TO_SAY else Outcome.USED

    answer, call = _ask(model, question, Purpose.INTENT, judge, until)
    return (None if answer is None else Intent(_word(answer))), call


def _word(answer: str) -> str:
    return answer.strip().strip("\"'`.").casefold()


def _wording(model: Model, said: str, reply: Reply, until: float) -> tuple[str, Call]:
    instruction = prompts()["wording"].format(language=_LANGUAGES[reply.language])
    material = json.dumps({"guest": said, "answer": reply.text}, ensure_ascii=False)
    question = Question(instruction, material, _WORDING_TOKENS)

    def judge(answer: str) -> Outcome:
        return objection(answer, reply.text, reply.language) or Outcome.USED

    answer, call = _ask(model, question, Purpose.WORDING, judge, until)
    return (reply.text if answer is None else answer.strip()), call


def _ask(
    model: Model,
    question: Question,
    purpose: Purpose,
    judge: Callable[[str], Outcome],
    until: float,
) -> tuple[str | None, Call]:
    """The answer, if ``judge`` says that it is used; and the call, whatever became of it."""
    began = time.monotonic()
    answer = Answer("", 0, 0)
    try:
        answer = model.ask(question, until)
        outcome = judge(answer.text)
    except ModelError as error:
        outcome = error.outcome
    call = Call(
        model=model.name,
        purpose=purpose,
        outcome=outcome,
        duration=timedelta(seconds=time.monotonic() - began),
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
    )
    if outcome is Outcome.USED:
        return answer.text, call
    log.info("model_not_used", purpose=purpose, outcome=outcome)
    return None, call


@cache
def prompts() -> dict[str, Any]:
    """What the model is told, and the intents' meanings."""
    source = resources.files(__package__).joinpath("model_prompts.yml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(source)
    return found

"""What the property's facts come to in a guest's language: one paragraph for each thing asked."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from app.conversation.intent import Intent
from app.conversation.language import Language
from app.conversation.phrases import Phrases
from app.conversation.property import LocalText, Property

# Signs that WhatsApp takes for bold, italic, struck out and monospace, and then swallows.
_FORMATTING: Final = frozenset("*_~`")


@dataclass(frozen=True)
class Told:
    """A paragraph; unless it is complete, a person must add the rest."""

    text: str
    complete: bool = True


def tell(intent: Intent, facts: Property, phrases: Phrases) -> Told | None:
    """What is known about a thing asked for; None where the host wrote nothing about it."""
    return _TELLERS[intent](facts, phrases)


def clock(time: dt.time, language: Language) -> str:
    """A time of day as its readers write it: 15:00, "3 pm", "15 h"."""
    if language is Language.EN:
        return _twelve_hours(time)
    if language is Language.FR:
        return f"{time.hour} h {time.minute:02}" if time.minute else f"{time.hour} h"
    return f"{time.hour}:{time.minute:02}"


def _twelve_hours(time: dt.time) -> str:
    if time.minute == 0 and time.hour in (0, 12):
        return "noon" if time.hour else "midnight"  # nobody is sure what 12 pm is
    hour, half = (time.hour - 1) % 12 + 1, "am" if time.hour < 12 else "pm"
    return f"{hour}:{time.minute:02} {half}" if time.minute else f"{hour} {half}"


def _local(text: LocalText | None, facts: Property, phrases: Phrases) -> str | None:
    """The text in the guest's language; else in English, or as the host wrote it, and says so."""
    if text is None:
        return None
    for language in (phrases.language, Language.EN, facts.default_language):
        if language in text:
            break
    if language is phrases.language:
        return text[language]
    name = phrases.say(f"language_{language}")
    return phrases.say("as_written", language=name, text=text[language])


def _literal(value: str) -> str:
    """A value to be copied, so that WhatsApp shows every sign of it."""
    return f"```{value}```" if _FORMATTING & set(value) and "`" not in value else value


def _lines(*lines: str | None) -> str:
    return "\n".join(line for line in lines if line)


def _arrival(facts: Property, phrases: Phrases) -> Told | None:
    if (check_in := facts.check_in) is None:
        return None
    start = clock(check_in.from_, phrases.language)
    if check_in.until is None:
        hours = phrases.say("arrival", start=start)
    else:
        end = clock(check_in.until, phrases.language)
        hours = phrases.say("arrival_until", start=start, end=end)
    return Told(_lines(hours, _local(check_in.how, facts, phrases)))


def _departure(facts: Property, phrases: Phrases) -> Told | None:
    if (check_out := facts.check_out) is None:
        return None
    until = phrases.say("departure", end=clock(check_out.until, phrases.language))
    return Told(_lines(until, _local(check_out.how, facts, phrases)))


def _wifi(facts: Property, phrases: Phrases) -> Told | None:
    if (wifi := facts.wifi) is None:
        return None
    details = _local(wifi.details, facts, phrases)
    network = _literal(wifi.network)
    if wifi.password is None:
        known = phrases.say("wifi_network", network=network)
        return Told(_lines(known, details), complete=details is not None)
    password = _literal(wifi.password.get_secret_value())
    return Told(_lines(phrases.say("wifi", network=network, password=password), details))


def _breakfast(facts: Property, phrases: Phrases) -> Told | None:
    if (breakfast := facts.breakfast) is None:
        return None
    details = _local(breakfast.details, facts, phrases)
    if breakfast.from_ is None or breakfast.until is None:
        return Told(phrases.say("breakfast_details", text=details or ""))
    start, end = (clock(time, phrases.language) for time in (breakfast.from_, breakfast.until))
    return Told(_lines(phrases.say("breakfast", start=start, end=end), details))


def _parking(facts: Property, phrases: Phrases) -> Told | None:
    text = _local(facts.parking, facts, phrases)
    return Told(phrases.say("parking", text=text)) if text else None


def _house_rules(facts: Property, phrases: Phrases) -> Told | None:
    text = _local(facts.house_rules, facts, phrases)
    return Told(phrases.say("house_rules", text=text)) if text else None


_TELLERS: Final[Mapping[Intent, Callable[[Property, Phrases], Told | None]]] = {
    Intent.ARRIVAL: _arrival,
    Intent.WIFI: _wifi,
    Intent.PARKING: _parking,
    Intent.BREAKFAST: _breakfast,
    Intent.HOUSE_RULES: _house_rules,
    Intent.DEPARTURE: _departure,
}
TOPICS: Final = frozenset(_TELLERS)
"""The intents that the property's facts can answer."""

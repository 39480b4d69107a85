"""What the property's facts come to in a guest's language: one paragraph for each thing asked."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.conversation.intent import Intent
from app.conversation.phrases import Phrases
from app.conversation.property import Property
from app.conversation.property_fields import LocalText
from app.conversation.said import Aspect
from app.conversation.wording import clock, lines, literal, local, local_if_any

# A time of day in any of the five languages: 15:00, 8.30, "3 pm", "15 h", "bis 20 Uhr", "alle 20".
_TIME: Final = re.compile(
    r"\d[:.]\d\d\b|\d ?(?:am|pm|h|uhr)\b|\b(?:noon|midnight)\b|\b(?:dalle|alle|las) \d",
    re.IGNORECASE,
)
# A price, or that there is none.
_PRICE: Final = re.compile(
    r"[€$£]|\b(?:EUR|CHF|USD|GBP|euros?)\b|\b(?:free|grat|gratuit|kostenlos|kostenfrei|included"
    r"|inbegriffen|compres|compris|inclus|incluid|suppl[eé]ment|senza costi|sin coste"
    r"|extra charge|aufpreis)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Told:
    """A paragraph; unless it is ``complete``, a person must add the rest.

    ``prose`` is whether words of the host's own are in it, beyond times and passwords.
    """

    text: str
    complete: bool = True
    prose: bool = True

    def has(self, aspect: Aspect) -> bool:
        """Whether it says when, how much, or (as far as can be told) where."""
        match aspect:
            case Aspect.WHEN:
                return _TIME.search(self.text) is not None
            case Aspect.PRICE:
                return _PRICE.search(self.text) is not None
            case Aspect.WHERE:
                return self.prose


_Teller: TypeAlias = Callable[[Property, Phrases], Told | None]


def tell(intent: Intent, facts: Property, phrases: Phrases) -> Told | None:
    """What is known about one of TOPICS; None where the host wrote nothing about it."""
    return _TELLERS[intent](facts, phrases)


def _arrival(facts: Property, phrases: Phrases) -> Told | None:
    if (check_in := facts.check_in) is None:
        return None
    start = clock(check_in.from_, phrases.language)
    if check_in.until is None:
        hours = phrases.say("arrival", start=start)
    else:
        end = clock(check_in.until, phrases.language)
        hours = phrases.say("arrival_until", start=start, end=end)
    how = local_if_any(check_in.how, facts, phrases)
    return Told(lines(hours, how), prose=how is not None)


def _departure(facts: Property, phrases: Phrases) -> Told | None:
    if (check_out := facts.check_out) is None:
        return None
    until = phrases.say("departure", end=clock(check_out.until, phrases.language))
    how = local_if_any(check_out.how, facts, phrases)
    return Told(lines(until, how), prose=how is not None)


def _wifi(facts: Property, phrases: Phrases) -> Told | None:
    if (wifi := facts.wifi) is None:
        return None
    details = local_if_any(wifi.details, facts, phrases)
    prose = details is not None
    network = literal(wifi.network)
    if wifi.password is None:
        known = phrases.say("wifi_network", network=network)
        return Told(lines(known, details), complete=prose, prose=prose)
    password = literal(wifi.password.get_secret_value())
    known = phrases.say("wifi", network=network, password=password)
    return Told(lines(known, details), prose=prose)


def _breakfast(facts: Property, phrases: Phrases) -> Told | None:
    if (breakfast := facts.breakfast) is None:
        return None
    details = local_if_any(breakfast.details, facts, phrases)
    if breakfast.from_ is None or breakfast.until is None:
        return Told(phrases.say("breakfast_details", text=details or ""))
    start, end = (clock(time, phrases.language) for time in (breakfast.from_, breakfast.until))
    hours = phrases.say("breakfast", start=start, end=end)
    return Told(lines(hours, details), prose=details is not None)


def _directions(facts: Property, phrases: Phrases) -> Told | None:
    address = phrases.say("address", address=facts.address) if facts.address else None
    way = _text("directions", facts.directions, facts, phrases)
    return Told(lines(address, way), complete=way is not None) if address or way else None


def _amenities(facts: Property, phrases: Phrases) -> Told | None:
    """What there is, and by what rules: guests ask of both in one breath."""
    what = _text("amenities", facts.amenities, facts, phrases)
    rules = _text("house_rules", facts.house_rules, facts, phrases)
    return Told(lines(what, rules), complete=what is not None) if what or rules else None


def _text(phrase: str, text: LocalText | None, facts: Property, phrases: Phrases) -> str | None:
    return phrases.say(phrase, text=local(text, facts, phrases)) if text else None


def _prose(phrase: str, of: Callable[[Property], LocalText | None]) -> _Teller:
    """The teller of a fact that is nothing but the host's text."""

    def teller(facts: Property, phrases: Phrases) -> Told | None:
        text = _text(phrase, of(facts), facts, phrases)
        return Told(text) if text else None

    return teller


_TELLERS: Final[Mapping[Intent, _Teller]] = {
    Intent.WIFI: _wifi,
    Intent.PARKING: _prose("parking", lambda facts: facts.parking),
    Intent.BREAKFAST: _breakfast,
    Intent.DIRECTIONS: _directions,
    Intent.ARRIVAL: _arrival,
    Intent.DEPARTURE: _departure,
    Intent.LUGGAGE: _prose("luggage", lambda facts: facts.luggage),
    Intent.AMENITIES: _amenities,
    Intent.PETS: _prose("pets", lambda facts: facts.pets),
    Intent.LOCAL_TIPS: _prose("local_tips", lambda facts: facts.local_tips),
    Intent.TRANSPORT: _prose("transport", lambda facts: facts.transport),
}
TOPICS: Final = frozenset(_TELLERS)
"""The intents that the property's facts can answer."""

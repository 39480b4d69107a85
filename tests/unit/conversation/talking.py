"""A guest who writes: single messages, and conversations that remember what was said."""

import datetime as dt
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from app.conversation import property as properties
from app.conversation.intent import Intent
from app.conversation.language import Language
from app.conversation.property import Property
from app.conversation.replying import reply
from app.conversation.turn import CloseOffer, EndStay, MakeRequest, Offer, Reply, SetConsent, Turn
from app.conversation.understanding import Guess
from app.guests.booking import Booking, BookingStatus

EXAMPLE: Final = properties.load(Path(properties.__file__).with_name("property.example.yml"))
_SMALLEST: Final = {
    "name": "Casa Lumaca",
    "default_language": "de",
    "time_zone": "Europe/Rome",
    "emergency_number": "112",
}


def bare(**facts: object) -> Property:
    """A property that says no more than it must, and these facts."""
    return Property.model_validate(_SMALLEST | facts, context={"default_language": Language.DE})


BARE: Final = bare()
STAY: Final = Booking(
    channel="direct",
    code="AUR-417",
    status=BookingStatus.CONFIRMED,
    unit="Camera Glicine",
    arrival=dt.date(2026, 5, 4),
    departure=dt.date(2026, 5, 8),
    party=2,
    balance=Decimal("312.50"),
    currency="EUR",
    booking_id=7,
)


def at(day: int, hour: int = 9, minute: int = 0) -> dt.datetime:
    """A moment of May 2026 by the hotel's clock, two hours ahead of UTC."""
    return dt.datetime(2026, 5, day, hour - 2, minute, tzinfo=dt.UTC)


NOW: Final = at(5)


def ask(
    text: str,
    *intents: Intent,
    facts: Property = EXAMPLE,
    language: Language | None = Language.EN,
    turn: Turn | None = None,
) -> Reply:
    """What is said to a message that means these intents, the second one a little less surely."""
    turn = replace(turn or Turn("", NOW), text=text, known_language=language)
    guesses = [Guess(intent, 0.9 - 0.1 * place) for place, intent in enumerate(intents)]
    return reply(turn, guesses, facts)


@dataclass
class Talk:
    """A conversation: what each reply effects is known to the next turn."""

    facts: Property = EXAMPLE
    now: dt.datetime = NOW
    bookings: tuple[Booking, ...] = (STAY,)
    language: Language | None = None
    topic: Intent | None = None
    offer: Offer | None = None
    consent: bool | None = None
    requests: list[MakeRequest] = field(default_factory=list)

    def says(self, text: str, intent: Intent, choice_id: str | None = None) -> Reply:
        """The guest writes ``text``, which is understood as ``intent``."""
        turn = Turn(
            text=text,
            now=self.now,
            choice_id=choice_id,
            known_language=self.language,
            topic=self.topic,
            bookings=self.bookings,
            offer=self.offer,
        )
        answer = reply(turn, [Guess(intent, 0.9)], self.facts)
        self.topic = answer.intents[0]
        self.language = answer.language if answer.language_is_told else self.language
        for effect in answer.effects:
            self._carry_out(effect)
        return answer

    def _carry_out(self, effect: object) -> None:
        match effect:
            case MakeRequest(kind=kind, price=price, currency=currency):
                self.requests.append(effect)
                if price is not None and currency is not None:
                    self.offer = Offer(len(self.requests), kind, price, currency)
            case CloseOffer(request_id=request_id):
                assert self.offer
                assert self.offer.request_id == request_id
                self.offer = None
            case SetConsent(given=given):
                self.consent = given
            case EndStay(booking_id=booking_id):
                self.bookings = tuple(b for b in self.bookings if b.booking_id != booking_id)

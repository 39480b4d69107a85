"""What every agent is given, and what it gives back."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.conversation.intent import Intent
from app.conversation.phrases import Phrases
from app.conversation.property import Property
from app.conversation.turn import CallPerson, Effect, Turn
from app.guests.booking import Booking
from app.messages.outgoing import Choice


@dataclass(frozen=True)
class Scene:
    """The turn, with the facts, and the phrases of the language that it is answered in.

    ``may_offer`` is False once an offer is in the reply: a "yes" must not be about two.
    """

    turn: Turn
    facts: Property
    phrases: Phrases
    may_offer: bool = True

    @property
    def local_now(self) -> datetime:
        """The property's own time."""
        return self.turn.now.astimezone(self.facts.time_zone)

    @property
    def booking(self) -> Booking | None:
        """The guest's running stay, or their next one."""
        return self.turn.bookings[0] if self.turn.bookings else None

    @property
    def booking_id(self) -> int | None:
        """Its row, where there is one."""
        return self.booking.booking_id if self.booking else None

    def days_to_departure(self) -> int | None:
        """How many days the running stay still has, negative when it is over.

        None if no stay is running, or its end isn't known.
        """
        booking, today = self.booking, self.local_now.date()
        if booking is None or booking.departure is None or today < (booking.arrival or date.min):
            return None
        return (booking.departure - today) // timedelta(days=1)

    def is_past_check_out(self) -> bool:
        """Whether the running stay ought to be over by now."""
        days, check_out = self.days_to_departure(), self.facts.check_out
        if days is None or days > 0:
            return False
        return days < 0 or (check_out is not None and self.local_now.time() >= check_out.until)


@dataclass(frozen=True)
class Part:
    """One paragraph of a reply, and what comes with it.

    ``missing`` is a topic that the facts don't have: all such are told in one sentence of the
    reply, and a person is called. A part may be empty but for that.
    """

    text: str = ""
    effects: tuple[Effect, ...] = ()
    choices: tuple[Choice, ...] = ()
    missing: Intent | None = None


def for_a_person(text: str, reason: Intent, *, urgent: bool = False, silence: bool = False) -> Part:
    """A part that says a person will answer, and calls one."""
    return Part(text, (CallPerson(reason, urgent=urgent, silence=silence),))

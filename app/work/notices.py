"""What guests are told by the clock: the evening before departure, how to leave."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Final

from app.conversation.language import Language
from app.conversation.phrases import Phrases, bundled
from app.conversation.property import CheckOut
from app.conversation.wording import clock, day, local_if_any
from app.guests.booking import BookingStatus
from app.messages.once import is_written, take_back
from app.messages.outbox import Draft
from app.messages.outgoing import Kind
from app.work.desk import Desk

DEPARTURE: Final = "departure_instructions"


def announce_departures(desk: Desk, at: time, now: datetime) -> int:
    """Write to each guest who leaves tomorrow, from ``at`` till midnight; how many were written.

    ``now`` is aware, ``at`` the property's time. Nobody is written to twice, nor at all where the
    property's facts don't say when a room must be left.
    """
    local_now = now.astimezone(desk.facts.time_zone)
    check_out = desk.facts.check_out
    if check_out is None or local_now.time() < at:
        return 0
    tomorrow = local_now.date() + timedelta(days=1)
    drafts = list(_departure_notices(desk, check_out, tomorrow))
    for draft in drafts:
        # One by one: a guest's answer must not wait for a houseful of notices.
        with desk.database.transaction(durable=False) as connection:
            desk.outbox.add(connection, draft)
    return len(drafts)


def close_past_days(desk: Desk, now: datetime) -> int:
    """End the stays whose last day is over, and take back what was to be said of it; how many
    stays."""
    zone = desk.facts.time_zone
    today = now.astimezone(zone).date()
    over = [
        booking.booking_id
        for booking in desk.bookings.open_ones()
        if booking.status is BookingStatus.CONFIRMED
        and booking.booking_id is not None
        and booking.departure is not None
        and booking.departure < today
    ]
    for booking_id in over:
        with desk.database.transaction(durable=False) as connection:
            desk.bookings.end(connection, booking_id)
    # Yesterday's notices are about today; a person may have held up those before them till now.
    yesterday = datetime.combine(today - timedelta(days=1), time(), tzinfo=zone)
    with desk.database.transaction(durable=False) as connection:
        take_back(connection, DEPARTURE, yesterday, "the guest has left")
    return len(over)


def _departure_notices(desk: Desk, check_out: CheckOut, tomorrow: date) -> Iterator[Draft]:
    for booking in desk.bookings.leaving_on(tomorrow):
        # Not by the booking's id, which another leader's database may have given to another one.
        stay = desk.seal.index(f"booking:{booking.channel}:{booking.code}").hex()[:32]
        # With the day: a stay that is made longer ends on another evening, and is told so again.
        key = f"{DEPARTURE}:{stay}:{tomorrow}"
        if booking.phone is None or is_written(desk.database, key):
            continue
        phrases = bundled()[_language(desk, booking.phone)]
        values = _told(desk, check_out, phrases, tomorrow)
        yield Draft(
            key=key,
            phone=booking.phone,
            kind=Kind.NOTICE,
            message=desk.catalogue.render(DEPARTURE, phrases.language, values),
            language=phrases.language,
            # Without the booking: who has booked two rooms is told once.
            dedupe_key=f"{DEPARTURE}:{tomorrow}",
        )


def _told(desk: Desk, check_out: CheckOut, phrases: Phrases, tomorrow: date) -> dict[str, str]:
    # Something must stand there: WhatsApp takes no empty value.
    how = local_if_any(check_out.how, desk.facts, phrases) or phrases.say("departing")
    return {
        "day": day(tomorrow, phrases.language),
        "end": clock(check_out.until, phrases.language),
        "how": how,
    }


def _language(desk: Desk, phone: str) -> Language:
    """The guest's language; English for one that Portiere doesn't speak."""
    guest = desk.guests.find(phone)
    if guest is None or guest.language is None:
        return desk.facts.default_language
    return Language(guest.language) if guest.language in list(Language) else Language.EN

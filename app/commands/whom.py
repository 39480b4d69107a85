"""Whom a command is about."""

from app.commands.office import Office, RefusedError
from app.commands.schemas import About, BookingName
from app.conversation.language import Language
from app.guests.booking import Booking
from app.guests.guest import Guest
from app.store.database import Connection


def guest_of(office: Office, about: About) -> Guest:
    """The guest; one who is named by a phone need not be known yet.

    Raises :class:`RefusedError` for an index that is nobody's, or no longer anybody's.
    """
    if about.phone is not None:
        return office.guests.find(about.phone) or Guest(about.phone)
    found = office.guests.find_by_index(bytes.fromhex(about.guest or ""))
    if found is None:
        raise RefusedError("guest_unknown", "no guest has this index: it was erased, or never was")
    return found


def booking_of(office: Office, connection: Connection, phone: str, named: BookingName) -> Booking:
    """The guest's booking of this name. Raises :class:`RefusedError` if they have none."""
    found = office.bookings.held(connection, named.channel, named.code)
    if found is None or found.phone != phone:
        raise RefusedError("booking_unknown", "the guest has no booking of this channel and code")
    return found


def language_of(office: Office, guest: Guest) -> Language:
    """The language to write in: the guest's; English for one that Portiere doesn't speak."""
    if guest.language is None:
        return office.facts.default_language
    return Language(guest.language) if guest.language in list(Language) else Language.EN

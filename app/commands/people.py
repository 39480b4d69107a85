"""CREATE_GUEST and UPDATE_GUEST. Whom it was about stands beside the report: the blind index."""

from zoneinfo import ZoneInfo

from app.commands.office import Done, Office, Order, RefusedError
from app.commands.schemas import CreateGuest, GuestFacts, UpdateGuest
from app.commands.whom import guest_of
from app.guests.guest import Consent, Guest
from app.store.database import Connection


def create_guest(
    office: Office, connection: Connection, order: Order, payload: CreateGuest
) -> Done:
    """Keep a guest; one who is known already is only filled up: who wrote first is no error."""
    is_new = office.guests.find(payload.phone) is None
    office.guests.put(connection, _guest(payload, payload.phone), order.client)
    return Done({"created": is_new})


def update_guest(
    office: Office, connection: Connection, order: Order, payload: UpdateGuest
) -> Done:
    """Keep what is new of a guest who is known."""
    phone = guest_of(office, payload).phone
    if office.guests.find(phone) is None:
        raise RefusedError("guest_unknown", "no guest has this phone: CREATE_GUEST makes one")
    office.guests.put(connection, _guest(payload, phone), order.client)
    return Done()


def _guest(payload: GuestFacts, phone: str) -> Guest:
    consent = payload.consent
    return Guest(
        phone=phone,
        name=payload.name,
        email=payload.email,
        language=payload.language,
        time_zone=ZoneInfo(payload.time_zone) if payload.time_zone else None,
        consent=consent.state if consent else Consent.UNKNOWN,
        consent_source=consent.source if consent else None,
        consent_at=consent.at if consent else None,
    )

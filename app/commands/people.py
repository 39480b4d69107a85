"""CREATE_GUEST and UPDATE_GUEST. Whom it was about stands beside the report: the blind index."""

from zoneinfo import ZoneInfo

from app.commands.office import Done, Office, Order, RefusedError
from app.commands.schemas import CreateGuest, UpdateGuest
from app.guests.guest import Consent, Guest
from app.store.database import Connection


def create_guest(
    office: Office, connection: Connection, order: Order, payload: CreateGuest
) -> Done:
    """Keep a guest; one who is known already is only filled up: who wrote first is no error."""
    is_new = office.guests.find(payload.phone) is None
    office.guests.put(connection, _guest(payload), order.client)
    return Done({"created": is_new})


def update_guest(
    office: Office, connection: Connection, order: Order, payload: UpdateGuest
) -> Done:
    """Keep what is new of a guest who is known."""
    if office.guests.find(payload.phone) is None:
        raise RefusedError("guest_unknown", "no guest has this phone: CREATE_GUEST makes one")
    office.guests.put(connection, _guest(payload), order.client)
    return Done()


def _guest(payload: CreateGuest) -> Guest:
    consent = payload.consent
    return Guest(
        phone=payload.phone,
        name=payload.name,
        email=payload.email,
        language=payload.language,
        time_zone=ZoneInfo(payload.time_zone) if payload.time_zone else None,
        consent=consent.state if consent else Consent.UNKNOWN,
        consent_source=consent.source if consent else None,
        consent_at=consent.at if consent else None,
    )
